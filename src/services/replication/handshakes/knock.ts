import { isObject, ownValue, type JsonObject } from '../../../core/json/value.js'
import { sendMembership, withSomeServer, type HandshakeDeps } from './handshake.js'
import { ownMembership, readOutsideState } from '../peers/outside-state.js'
import { readSmallAnswer } from '../peers/peer-answer.js'
import { badAnswer } from '../peers/peer-failure.js'
import { eventFromTemplate, requestTemplate } from '../peers/template.js'

/** SPEC: https://spec.matrix.org/v1.19/server-server-api/#knocking-upon-a-room */
export async function knockRemote(
  deps: HandshakeDeps,
  userId: string,
  roomId: string,
  via: readonly string[],
  content: JsonObject,
): Promise<void> {
  const timeoutMs = deps.options?.requestTimeoutMs ?? 20_000
  await withSomeServer(deps, via, async (server) => {
    const template = await requestTemplate(deps.client, { kind: 'knock', server, roomId, userId, timeoutMs })
    const { rules } = template
    if (!rules.knock) throw badAnswer('rooms of this version have no knocking')
    const event = eventFromTemplate(deps.context, template, { roomId, userId, content })
    const answer = await readSmallAnswer(await sendMembership(deps, 'knock', server, event))
    // The knock is in the room from here on: what is wrong with the state is left out.
    const list = isObject(answer) ? ownValue(answer, 'knock_room_state') : undefined
    const state = await readOutsideState(deps.intake, { list, rules, roomId, origin: server, strict: false })
    await deps.outside.put({
      roomId,
      rules,
      userId,
      membership: 'knock',
      sender: userId,
      strippedState: [...state, ownMembership(event)],
    })
  })
}
