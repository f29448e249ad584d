"""Answers, with Synapse's own code, what Synapse makes of a room.

Reads JSON lines on stdin, one room each:

    {"version": "11", "events": [{"pdu": {...}, "outlier": false}, ...], "loose": [{...}, ...]}

`events` are in an order in which every event comes after its prev and auth events; an outlier is an event of
another room that exists to be cited wrongly. `loose` are PDUs judged alone (format, hashes, redaction).
Answers one JSON line per room; a state is the sorted list of the indices of its events:

    {"events": [{"id", "ok", "stage", "why", "before", "hash", "ref", "redacted"}, ...],
     "leaves": [...], "loose": [{"ok", "why", "id", "hash", "ref", "redacted", "hashOk"}, ...]}

A room on which Synapse's resolution raises is answered as far as it came, with `"crash": "why"` beside.

The verdict follows the checks on receipt of a PDU: against the claimed auth events (4), then against the state
before the event (5), as Synapse's federation handler applies them to an event whose room it knows in full.
`stage` says which check refused; `crash` means that Synapse raised something other than a refusal.
"""

import hashlib
import json
import logging
import sys

from canonicaljson import encode_canonical_json
from synapse import event_auth
from synapse.api.errors import AuthError, EventSizeError, SynapseError
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS, StateResolutionVersions
from synapse.crypto.event_signing import (
    check_event_content_hash,
    compute_content_hash,
    compute_event_reference_hash,
)
from synapse.events import make_event_from_dict
from synapse.federation.federation_base import event_from_pdu_json
from synapse.handlers.federation_event import FederationEventHandler
from synapse.state import v1, v2
from synapse.storage.databases.main.event_federation import StateDifference
from synapse.synapse_rust.events import redact_event_dict
from unpaddedbase64 import encode_base64

logging.disable(logging.CRITICAL)

SELF_CHECK_EVERY = 40
SELF_CHECK_MAX_PATHS = 2_000


def finish(coroutine):
    """The result of a coroutine that never really waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    raise RuntimeError("a stub of the oracle waited")


class NoClock:
    async def sleep(self, duration):
        return None


class Room:
    """The events of one room, standing in for Synapse's database."""

    def __init__(self, version):
        self.version = KNOWN_ROOM_VERSIONS[version]
        self.room_id = None
        self.by_id = {}
        self.index = {}
        self.ids = []
        # Auth chains as bit sets over indices, each including its own event: Synapse's database answers so too.
        self.chain = {}
        self.paths = {}
        self.after = {}
        self.resolutions = 0

    def add(self, event):
        i = len(self.ids)
        self.ids.append(event.event_id)
        self.index[event.event_id] = i
        self.by_id[event.event_id] = event
        chain, paths = 1 << i, 1
        for auth_id in event.auth_event_ids():
            chain |= self.chain.get(auth_id, 0)
            paths += self.paths.get(auth_id, 0)
        self.chain[event.event_id] = chain
        self.paths[event.event_id] = paths

    async def get_events(self, event_ids, redact_behaviour=None, get_prev_content=False, allow_rejected=False):
        found = {}
        for event_id in event_ids:
            event = self.by_id.get(event_id)
            if event is not None and (allow_rejected or event.rejected_reason is None):
                found[event_id] = event
        return found

    async def get_auth_chain_difference(self, room_id, state_sets, conflicted, additional):
        union, intersection = 0, -1
        for state_set in state_sets:
            full = 0
            for event_id in state_set:
                full |= self.chain[event_id]
            union |= full
            intersection &= full
        subgraph = None
        if conflicted is not None:
            targets, behind = 0, 0
            for event_id in conflicted:
                targets |= 1 << self.index[event_id]
                behind |= self.chain[event_id]
            subgraph = {e for e in self.of_mask(behind) if self.chain[e] & targets}
        return StateDifference(
            auth_difference=set(self.of_mask(union & ~intersection)), conflicted_subgraph=subgraph
        )

    def of_mask(self, mask):
        while mask:
            low = mask & -mask
            yield self.ids[low.bit_length() - 1]
            mask ^= low

    def resolve(self, state_sets):
        distinct = []
        for state in state_sets:
            if state not in distinct:
                distinct.append(state)
        if not distinct:
            return {}
        if len(distinct) == 1:
            return distinct[0]
        if self.version.state_res == StateResolutionVersions.V1:
            return dict(
                finish(v1.resolve_events_with_store(self.room_id, self.version, distinct, None, self.get_events))
            )
        self.self_check(distinct)
        return dict(
            finish(
                v2.resolve_events_with_store(NoClock(), self.room_id, self.version, distinct, None, self)
            )
        )

    def self_check(self, state_sets):
        """Now and then, compares our auth difference with the one that Synapse computes for events in flight."""
        self.resolutions += 1
        if self.resolutions % SELF_CHECK_EVERY != 1:
            return
        in_room = {e: ev for e, ev in self.by_id.items() if ev.room_id == self.room_id}
        if sum(self.paths[e] for e in in_room) > SELF_CHECK_MAX_PATHS:
            return
        conflicted = None
        if self.version.state_res == StateResolutionVersions.V2_1:
            _, by_key = v2._seperate(state_sets)
            conflicted = set().union(*by_key.values())
        ours = finish(v2._get_auth_chain_difference(self.room_id, state_sets, {}, self, conflicted))
        nothing = NothingStored(conflicted)
        theirs = finish(
            v2._get_auth_chain_difference(self.room_id, state_sets, in_room, nothing, conflicted)
        )
        if ours != theirs | (conflicted or set()):
            raise AssertionError(f"the stub's auth difference is not Synapse's: {ours ^ theirs}")


class NothingStored:
    """A store for `_get_auth_chain_difference` when every event counts as in flight."""

    def __init__(self, conflicted):
        self.conflicted = conflicted

    async def get_auth_chain_difference(self, room_id, state_sets, conflicted, additional):
        return StateDifference(
            auth_difference=set(), conflicted_subgraph=None if self.conflicted is None else set()
        )


def facts(event, version):
    pdu = event.get_pdu_json()
    redacted = redact_event_dict(version, pdu)
    # Nobody vouches for it: the other side removes it on receipt.
    redacted.pop("unsigned", None)
    return {
        "id": event.event_id,
        "hash": encode_base64(compute_content_hash(pdu, hashlib.sha256)[1]),
        "ref": encode_base64(compute_event_reference_hash(event)[1]),
        "redacted": encode_base64(hashlib.sha256(encode_canonical_json(redacted)).digest()),
    }


def _hash_ok(event):
    try:
        return check_event_content_hash(event)
    except SynapseError:
        return False


def check_format(pdu, version):
    """The event of a PDU, or raises: what a federation transaction does to it before anything else."""
    event = event_from_pdu_json(pdu, version)
    FederationEventHandler._sanity_check_event(None, event)
    event_auth._check_size_limits(event)
    return event


def judge_loose(pdu, version):
    try:
        event = check_format(pdu, version)
        # Reading these is what the rest of Synapse does next; a PDU on which that fails never gets further.
        _ = (event.event_id, event.type, event.sender, event.room_id, event.content, event.origin_server_ts)
        _ = (list(event.prev_event_ids()), list(event.auth_event_ids()), event.get_state_key(), event.hashes)
        return {"ok": True, "why": "", "hashOk": _hash_ok(event), **facts(event, version)}
    except EventSizeError as e:
        return {"ok": False, "why": f"size: {e.msg}", "lenient": not e.unpersistable}
    except SynapseError as e:
        return {"ok": False, "why": e.msg}
    except Exception as e:
        return {"ok": False, "why": f"crash: {type(e).__name__}: {e}"}


def state_dependent(event, auth_events):
    try:
        event_auth.check_state_dependent_auth_rules(event, auth_events)
    except SynapseError as e:
        return (False, e.msg)
    except Exception as e:
        return (False, f"crash: {type(e).__name__}: {e}")
    return (True, "")


def judge(room, event, before):
    """(verdict, stage, why) of one event."""
    if any(a not in room.by_id for a in event.auth_event_ids()):
        return (False, "missing", "an auth event is unknown")
    try:
        finish(event_auth.check_state_independent_auth_rules(room, event))
    except SynapseError as e:
        return (False, "independent", e.msg)
    except Exception as e:
        return (False, "independent", f"crash: {type(e).__name__}: {e}")
    ok, why = state_dependent(event, [room.by_id[a] for a in event.auth_event_ids()])
    if not ok:
        return (False, "claimed", why)
    if event.type == "m.room.create":
        return (True, "", "")
    selected = []
    for key in event_auth.auth_types_for_event(room.version, event):
        event_id = before.get(key)
        if event_id is not None:
            selected.append(room.by_id[event_id])
    ok, why = state_dependent(event, selected)
    return (True, "", "") if ok else (False, "before", why)


def answer(request):
    version = KNOWN_ROOM_VERSIONS[request["version"]]
    reply = {"events": [], "leaves": [], "loose": []}
    try:
        answer_room(request, version, reply)
    except Exception as e:
        reply["crash"] = f"{type(e).__name__}: {e}"
    reply["loose"] = [judge_loose(pdu, version) for pdu in request.get("loose", [])]
    return reply


def answer_room(request, version, reply):
    room = Room(request["version"])
    cited = set()
    for entry in request["events"]:
        pdu = entry["pdu"]
        event = event_from_pdu_json(pdu, version)
        result = facts(event, version)
        if entry.get("outlier"):
            room.add(event)
            reply["events"].append({**result, "ok": True, "stage": "", "why": "", "before": []})
            continue
        if room.room_id is None:
            room.room_id = event.room_id
        cited.update(event.prev_event_ids())
        before = room.resolve([room.after[p] for p in event.prev_event_ids()])
        ok, stage, why = judge(room, event, before)
        if not ok:
            event = make_event_from_dict(pdu, version, rejected_reason="auth_error")
        room.add(event)
        after = before
        if ok and event.is_state():
            after = {**before, (event.type, event.state_key): event.event_id}
        room.after[event.event_id] = after
        result.update(ok=ok, stage=stage, why=why, before=sorted(room.index[e] for e in before.values()))
        reply["events"].append(result)
    leaves = room.resolve([state for event_id, state in room.after.items() if event_id not in cited])
    reply["leaves"] = sorted(room.index[e] for e in leaves.values())


def main():
    for line in sys.stdin:
        reply = answer(json.loads(line))
        sys.stdout.write(json.dumps(reply, separators=(",", ":")) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
