import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import { isObject, ownValue, type Json, type JsonObject } from '../../../../core/json/value.js'
import type { Seeded } from './seeded.js'
import type { Passage } from './finale.js'
import { outsider } from './outsider.js'
import { membersOf, residents } from './residents.js'
import { as, type SimNode } from './sim-node.js'
import { viewOf } from './view.js'

/** How much of a state is kept back. */
const OMITTED = 0.4

const isBeginning = (event: Json): boolean => ownValue(event as never, 'type') === 'm.room.create'

function serverOf(event: Json): string {
  const sender = isObject(event) ? ownValue(event, 'sender') : undefined
  return (typeof sender === 'string' ? serverNameOf(sender) : undefined) ?? ''
}

/** With a word of each server that was there: of whom nobody has heard nobody can ask, until it speaks. */
function naming(whole: JsonObject, state: Json): Json {
  const told = state as readonly Json[]
  const heard = new Set([...told, ...(whole['auth_chain'] as readonly Json[])].map(serverOf))
  const rest = (whole['state'] as readonly Json[]).filter((event) => {
    if (heard.has(serverOf(event))) return false
    heard.add(serverOf(event))
    return true
  })
  return [...told, ...rest]
}

/** Answers as they are, less some events of the state that they tell of. */
function omitting(chance: Seeded, onOmission: () => void) {
  const thin = (list: Json | undefined, keep: (item: Json) => boolean): Json =>
    !Array.isArray(list)
      ? []
      : list.filter((item: Json) => {
          if (keep(item) || !chance.chance(OMITTED)) return true
          onOmission()
          return false
        })
  return (endpoint: string, answer: string): string => {
    if (endpoint !== 'send_join' && endpoint !== 'state_ids') return answer
    const whole = JSON.parse(answer) as Json
    if (!isObject(whole)) return answer
    return endpoint === 'send_join'
      ? JSON.stringify({ ...whole, state: naming(whole, thin(whole['state'], isBeginning)) })
      : JSON.stringify({ ...whole, pdu_ids: thin(whole['pdu_ids'], () => false) })
  }
}

/**
 * A server that was not in a room, or has left it, comes through one that keeps a part of the state back. Nobody speaks until it has
 * compared what it was given with what others have.
 */
export async function joinThroughLiar(passage: Passage): Promise<void> {
  const { world, transport, pass, chance } = passage
  const liar = world.nodes.find(({ name }) => name === world.rash)
  if (liar?.process === undefined) return
  const counted = (what: string) => (): void => void world.counts.set(what, (world.counts.get(what) ?? 0) + 1)
  for (const roomId of world.rooms) {
    if ((await membersOf(liar, roomId)).length === 0) continue
    const newcomer = await outsider(passage, roomId)
    if (newcomer === undefined) continue
    const silent = transport.silent.get(liar.name)
    transport.silent.delete(liar.name)
    world.deceived.add(newcomer.name)
    transport.liars.set(liar.name, omitting(chance, counted('omissions of liars')))
    const join = newcomer.process!.memberships.join(as(chance.pick(newcomer.users)), {
      room: roomId,
      via: [liar.name],
    })
    let isIn = false
    await pass(join.then(() => void (isIn = true), () => undefined)) // prettier-ignore
    const isBlind = isIn && (await lacksState(passage, newcomer, roomId))
    transport.liars.delete(liar.name)
    if (silent !== undefined) transport.silent.set(liar.name, silent)
    await pass()
    if (!isIn) continue
    counted('joins through liars')()
    if (!isBlind) continue
    counted('joins with a part of the state')()
    if (!(await lacksState(passage, newcomer, roomId))) counted('joins that were healed')()
  }
}

/** Whether the first honest server that is there besides has a key of the state that this one has not. */
async function lacksState(passage: Passage, newcomer: SimNode, roomId: string): Promise<boolean> {
  const other = (await residents(passage, roomId)).find(({ node }) => node !== newcomer)
  const [mine, theirs] = [await viewOf(newcomer, roomId), other && (await viewOf(other.node, roomId))]
  if (mine === undefined || theirs === undefined) return false
  return [...theirs.state.keys()].some((key) => !mine.state.has(key))
}
