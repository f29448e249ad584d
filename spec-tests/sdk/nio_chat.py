"""A chat between two nodes with matrix-nio and olm.

Usage: nio_chat.py URL_A NAME_A URL_B NAME_B, where NAME is the server name, such as localhost:8448

Prints a line for each check, `pass WHAT` or `fail WHAT`. Where a node must go down it prints `kill 0` or `start 1` and waits
for a line on standard input. Ends with 1 when a check failed.
"""

import asyncio
import os
import shutil
import sys
import tempfile
import time
import traceback

import nio
from nio.crypto import decrypt_attachment

PATIENCE = 40.0
PASSWORD = "a good password"


async def eventually(what, condition, patience=PATIENCE):
    """Polls until the condition gives something; what it gave."""
    end = time.monotonic() + patience
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {patience} s: {what}")
        await asyncio.sleep(0.05)


def good(answer, kind):
    """The answer, where it is of the kind that means success."""
    if not isinstance(answer, kind):
        raise AssertionError(f"{kind.__name__} expected: {answer}")
    return answer


class Person:
    """A user at one device, who syncs in the background and remembers what came."""

    def __init__(self, url, username, store):
        config = nio.AsyncClientConfig(
            store=nio.store.SqliteMemoryStore, encryption_enabled=True, max_timeout_retry_wait_time=1
        )
        self.client = nio.AsyncClient(url, username, store_path=store, config=config)
        self.texts = {}
        self.pictures = {}
        self.undecrypted = []
        self.typing = {}
        self.receipts = {}
        client = self.client
        client.add_event_callback(self.on_text, nio.RoomMessageText)
        client.add_event_callback(self.on_picture, nio.RoomEncryptedImage)
        client.add_event_callback(self.on_undecrypted, nio.MegolmEvent)
        client.add_ephemeral_callback(self.on_typing, nio.TypingNoticeEvent)
        client.add_ephemeral_callback(self.on_receipt, nio.ReceiptEvent)
        client.add_to_device_callback(self.on_verification, nio.KeyVerificationEvent)
        self.verified = []
        self.task = None

    async def on_text(self, room, event):
        self.texts[(room.room_id, event.body)] = event

    async def on_picture(self, room, event):
        self.pictures[(room.room_id, event.body)] = event

    async def on_undecrypted(self, room, event):
        self.undecrypted.append(event)

    async def on_typing(self, room, event):
        self.typing[room.room_id] = event.users

    async def on_receipt(self, room, event):
        for receipt in event.receipts:
            self.receipts[(room.room_id, receipt.user_id)] = receipt.event_id

    async def on_verification(self, event):
        """Emoji: accepts what others start, confirms what both show."""
        client = self.client
        if isinstance(event, nio.KeyVerificationStart):
            good(await client.accept_key_verification(event.transaction_id), nio.ToDeviceResponse)
        elif isinstance(event, nio.KeyVerificationKey):
            # The key of the side that was asked waits in nio's queue; it must go before the confirmation.
            await client.send_to_device_messages()
            sas = client.key_verifications[event.transaction_id]
            self.verified.append(tuple(sas.get_emoji()))
            good(await client.confirm_short_auth_string(event.transaction_id), nio.ToDeviceResponse)

    async def begin(self):
        """Starts to sync; returns when the first sync is done."""
        self.task = asyncio.ensure_future(self.client.sync_forever(timeout=5000, full_state=True))
        self.task.add_done_callback(self.on_sync_end)
        await asyncio.wait_for(self.client.synced.wait(), PATIENCE)
        return self

    def on_sync_end(self, task):
        if not task.cancelled() and task.exception() is not None:
            print(f"{self.client.user_id} syncs no more: {task.exception()!r}", file=sys.stderr)

    async def end(self):
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.client.close()

    async def say(self, room_id, body):
        content = {"msgtype": "m.text", "body": body}
        answer = await self.client.room_send(
            room_id, "m.room.message", content, ignore_unverified_devices=True
        )
        return good(answer, nio.RoomSendResponse).event_id

    async def hears(self, room_id, body):
        def seen():
            return self.texts.get((room_id, body))

        try:
            return await eventually(f"{self.client.user_id} hears {body!r}", seen)
        except AssertionError as error:
            raise AssertionError(f"{error}; could not decrypt {len(self.undecrypted)} events") from None


async def register(url, username, store):
    person = Person(url, username, store)
    good(await person.client.register(username, PASSWORD, "first"), nio.RegisterResponse)
    return await person.begin()


async def log_in(url, username, store):
    person = Person(url, username, store)
    good(await person.client.login(PASSWORD, "second"), nio.LoginResponse)
    return await person.begin()


class Chat:
    """The checks, in order; each goes on from where the last one ended."""

    def __init__(self, nodes, tell):
        self.nodes = nodes
        self.tell = tell
        self.people = []
        self.store = tempfile.mkdtemp(prefix="chancery-nio-")

    async def two_people_register_and_sync(self):
        self.alice = await register(self.nodes[0][0], "nio-alice", self.store)
        self.bruno = await register(self.nodes[1][0], "nio-bruno", self.store)
        self.people += [self.alice, self.bruno]
        assert self.alice.client.user_id == f"@nio-alice:{self.nodes[0][1]}"

    async def an_invitation_reaches_the_other_node(self):
        created = await self.alice.client.room_create(
            name="Joint budget",
            invite=[self.bruno.client.user_id],
            preset=nio.RoomPreset.private_chat,
            initial_state=[nio.EnableEncryptionBuilder().as_dict()],
        )
        self.room = good(created, nio.RoomCreateResponse).room_id
        invited = self.bruno.client.invited_rooms
        await eventually("the invitation", lambda: self.room in invited)
        good(await self.bruno.client.join(self.room), nio.JoinResponse)
        for person in (self.alice, self.bruno):
            rooms = person.client.rooms
            await eventually(
                "both are in", lambda rooms=rooms: self.room in rooms and len(rooms[self.room].users) == 2
            )
            assert rooms[self.room].encrypted

    async def both_read_each_other_decrypted(self):
        await self.alice.say(self.room, "hello from finances")
        event = await self.bruno.hears(self.room, "hello from finances")
        assert event.decrypted and event.sender == self.alice.client.user_id
        await self.bruno.say(self.room, "hello from interieur")
        event = await self.alice.hears(self.room, "hello from interieur")
        assert event.decrypted and event.sender == self.bruno.client.user_id

    async def typing_and_receipts_cross_over(self):
        alice, bruno = self.alice, self.bruno
        good(await bruno.client.room_typing(self.room, True, 20000), nio.RoomTypingResponse)
        await eventually("typing", lambda: alice.typing.get(self.room) == [bruno.client.user_id])
        good(await bruno.client.room_typing(self.room, False), nio.RoomTypingResponse)
        await eventually("typing no more", lambda: alice.typing.get(self.room) == [])
        event_id = await alice.say(self.room, "read this")
        await bruno.hears(self.room, "read this")
        answer = await bruno.client.room_read_markers(self.room, event_id, event_id)
        good(answer, nio.RoomReadMarkersResponse)
        key = (self.room, bruno.client.user_id)
        await eventually("the receipt", lambda: alice.receipts.get(key) == event_id)

    async def an_encrypted_picture_crosses_over(self):
        alice, bruno = self.alice, self.bruno
        data = os.urandom(200_000)
        answer, keys = await bruno.client.upload(
            lambda got_429, got_timeouts: data, "image/png", "plan.png", encrypt=True
        )
        url = good(answer, nio.UploadResponse).content_uri
        content = {"msgtype": "m.image", "body": "plan.png", "file": {**keys, "url": url}}
        content["info"] = {"mimetype": "image/png", "size": len(data)}
        sent = await bruno.client.room_send(
            self.room, "m.room.message", content, ignore_unverified_devices=True
        )
        good(sent, nio.RoomSendResponse)
        pictures = alice.pictures
        event = await eventually("the picture", lambda: pictures.get((self.room, "plan.png")))
        assert event.url == url
        # This nio knows only the old endpoint, which gives nothing without a log-in.
        path = "/_matrix/client/v1/media/download/" + event.url[len("mxc://") :]
        headers = {"Authorization": f"Bearer {alice.client.access_token}"}
        got = await alice.client.send("GET", path, headers=headers)
        sealed = await got.read()
        assert got.status == 200 and sealed != data, got.status
        assert decrypt_attachment(sealed, event.key["k"], event.hashes["sha256"], event.iv) == data

    async def devices_of_two_nodes_verify_each_other_by_emoji(self):
        alice, bruno = self.alice, self.bruno
        device = alice.client.device_store[bruno.client.user_id][bruno.client.device_id]
        good(await alice.client.start_key_verification(device), nio.ToDeviceResponse)
        await eventually("emoji on both sides", lambda: alice.verified and bruno.verified)
        assert alice.verified == bruno.verified and len(alice.verified[0]) == 7
        back = bruno.client.device_store[alice.client.user_id][alice.client.device_id]
        await eventually("both trust", lambda: device.verified and back.verified)

    async def what_was_said_while_a_node_was_down_arrives_with_its_keys(self):
        alice, bruno = self.alice, self.bruno
        await self.tell("kill 1")
        alice.client.invalidate_outbound_session(self.room)
        await alice.say(self.room, "interieur is down")
        await alice.say(self.room, "and still down")
        await self.tell("start 1")
        await bruno.hears(self.room, "interieur is down")
        await bruno.hears(self.room, "and still down")
        await self.tell("kill 0")
        bruno.client.invalidate_outbound_session(self.room)
        await bruno.say(self.room, "finances is down")
        await self.tell("start 0")
        await alice.hears(self.room, "finances is down")
        await alice.say(self.room, "all are back")
        await bruno.hears(self.room, "all are back")

    async def a_second_device_gets_the_keys_of_what_is_said_next(self):
        phone = await log_in(self.nodes[1][0], "nio-bruno", self.store)
        self.people.append(phone)
        bruno_id = self.bruno.client.user_id
        devices = self.alice.client.device_store
        await eventually("the device is known", lambda: phone.client.device_id in devices[bruno_id])
        self.alice.client.invalidate_outbound_session(self.room)
        await self.alice.say(self.room, "for both devices")
        await phone.hears(self.room, "for both devices")
        await self.bruno.hears(self.room, "for both devices")

    async def a_public_room_is_joined_by_its_alias_and_scrolled_back(self):
        alice, bruno = self.alice, self.bruno
        created = await alice.client.room_create(
            alias="nio-forum", name="Forum", preset=nio.RoomPreset.public_chat
        )
        forum = good(created, nio.RoomCreateResponse).room_id
        await eventually("the room", lambda: forum in alice.client.rooms)
        for i in range(25):
            await alice.say(forum, f"line {i}")
        joined = await bruno.client.join(f"#nio-forum:{self.nodes[0][1]}")
        assert good(joined, nio.JoinResponse).room_id == forum
        await alice.say(forum, "the last line")
        await bruno.hears(forum, "the last line")
        seen, start = [], bruno.client.next_batch
        for _ in range(20):
            page = good(await bruno.client.room_messages(forum, start, limit=10), nio.RoomMessagesResponse)
            seen += [event.body for event in page.chunk if isinstance(event, nio.RoomMessageText)]
            start = page.end
            if not page.chunk or start is None:
                break
        wanted = ["the last line"] + [f"line {i}" for i in reversed(range(25))]
        assert seen == wanted, seen

    async def who_leaves_is_gone_on_both_nodes(self):
        good(await self.bruno.client.room_leave(self.room), nio.RoomLeaveResponse)
        bruno_id = self.bruno.client.user_id
        users = self.alice.client.rooms[self.room].users
        await eventually("bruno is gone", lambda: bruno_id not in users)

    CHECKS = (
        two_people_register_and_sync,
        an_invitation_reaches_the_other_node,
        both_read_each_other_decrypted,
        typing_and_receipts_cross_over,
        an_encrypted_picture_crosses_over,
        devices_of_two_nodes_verify_each_other_by_emoji,
        what_was_said_while_a_node_was_down_arrives_with_its_keys,
        a_second_device_gets_the_keys_of_what_is_said_next,
        a_public_room_is_joined_by_its_alias_and_scrolled_back,
        who_leaves_is_gone_on_both_nodes,
    )


async def main(arguments):
    loop = asyncio.get_event_loop()

    async def tell(line):
        print(line, flush=True)
        await loop.run_in_executor(None, sys.stdin.readline)

    chat = Chat([(arguments[0], arguments[1]), (arguments[2], arguments[3])], tell)
    failed = 0
    for check in Chat.CHECKS:
        what = check.__name__.replace("_", " ")
        try:
            await asyncio.wait_for(check(chat), 150)
            print(f"pass {what}", flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            traceback.print_exc()
            print(f"fail {what}", flush=True)
    for person in chat.people:
        await person.end()
    shutil.rmtree(chat.store, ignore_errors=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.get_event_loop().run_until_complete(main(sys.argv[1:])))
