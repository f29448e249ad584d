import { serverNameOf } from '../../../../core/ids/server-name-of.js'
import { liveEvents } from '../../../../storage/tables/events.js'
import { addAccepted, prepareLocalEvent, type Draft } from '../../../rooms/local-event.js'
import { isResident } from '../../../rooms/residence.js'
import type { Process } from './sim-node.js'
import { contentOf, type World } from './world.js'

/** Signs and sends what the user may well have no right to. */
export async function actRashly(
  world: World,
  process: Process,
  roomId: string,
  userId: string,
  serial: number,
): Promise<void> {
  const { chance, users } = world
  const { context } = process
  const room = await context.loader.load(roomId)
  if (room === undefined || !(await isResident(context, room))) return
  const levels = (await contentOf(process, roomId, 'm.room.power_levels')) ?? {}
  const member = (membership: string, target: string): Omit<Draft, 'sender'> => ({
    type: 'm.room.member',
    stateKey: target,
    content: { membership },
  })
  const rows = await context.store.read('sim.recent', () =>
    liveEvents(room.nid, 0, Number.MAX_SAFE_INTEGER, 20),
  )
  // What other servers' users have said is not for this one's to redact.
  const fit = rows.filter((row) => row.type !== 'm.room.member' && serverNameOf(row.sender) !== world.rash)
  const redacts = fit.length === 0 ? undefined : chance.pick(fit).event_id
  const drafts: Omit<Draft, 'sender'>[] = [
    { type: 'm.room.message', content: { msgtype: 'm.text', body: `rash ${serial}` } },
    { type: 'm.room.topic', stateKey: '', content: { topic: `rash ${serial}` } },
    { type: 'm.room.power_levels', stateKey: '', content: { ...levels, users_default: 100 } },
    member('ban', chance.pick(users)),
    member('join', userId),
    member('leave', chance.pick(users)),
    member('invite', chance.pick(users)),
    ...(redacts === undefined
      ? []
      : [
          {
            type: 'm.room.redaction',
            redacts,
            content: Number(world.versionOf.get(roomId)) >= 11 ? { redacts } : {},
          },
        ]),
  ]
  const draft = { ...(redacts !== undefined && chance.chance(0.3) ? drafts.at(-1)! : chance.pick(drafts)), sender: userId } // prettier-ignore
  const old = chance.chance(0.4) ? chance.pick(rows)?.event_id : undefined
  await context.writer.write(roomId, async (working) => {
    const { root } = working
    // The auth events are of a state that is gone: they may allow what that before the event does not.
    if (old !== undefined) working.root = (await context.events.byId(old))?.stateBefore ?? root
    const prepared = await prepareLocalEvent(working, draft, context.local)
    working.root = root
    return addAccepted(working, prepared, draft, context.local)
  })
  world.counts.set('rash events', (world.counts.get('rash events') ?? 0) + 1)
}
