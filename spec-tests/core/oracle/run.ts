import { readPdu } from '../../../src/core/event/format.js'
import { createEventIdOf } from '../../../src/core/ids/room-id.js'
import type { Json } from '../../../src/core/json/value.js'
import { ROOM_VERSIONS } from '../../../src/core/room-version/versions.js'
import type { RoomVersion } from '../../../src/core/room-version/rules.js'
import { createAssembler } from './assemble.js'
import type { Blueprint, Room } from './blueprint.js'
import { createModel, type Judged, type Model } from './model.js'

/** A room as it grows: PDUs from blueprints, each judged by our core as it is added. */
export interface Run {
  readonly model: Model
  readonly pdus: readonly Json[]
  readonly blueprints: readonly Blueprint[]
  /**
   * Adds an event. One that either side drops for its format is left out, and answered with its PDU; one that says
   * nothing new, and so has the id of another, is left out too.
   */
  add(blueprint: Blueprint): Judged | { readonly refused: Json | undefined }
}

export function createRun(version: RoomVersion): Run {
  const rules = ROOM_VERSIONS.get(version)!
  const assemble = createAssembler(rules)
  const model = createModel(rules)
  const pdus: Json[] = []
  const blueprints: Blueprint[] = []
  return {
    model,
    pdus,
    blueprints,
    add(blueprint) {
      const { pdu, keep } = assemble(blueprint)
      const read = readPdu(pdu, rules)
      if (!read.ok) return { refused: pdu }
      if (model.byId(read.event.id) !== undefined) return { refused: undefined }
      // Our auth rules reject it, Synapse drops it (see `explained.ts`): as part of a room it could not be compared.
      const namesCreate = read.event.authEvents.includes(createEventIdOf(read.event.roomId))
      if (rules.roomIds === 'create-hash' && namesCreate) return { refused: pdu }
      keep()
      pdus.push(pdu)
      blueprints.push(blueprint)
      return model.add(read.event, blueprint.outlier === true)
    },
  }
}

/** Builds and judges a whole room; undefined when one of its events has no acceptable format. */
export function runRoom(room: Room): Run | undefined {
  const run = createRun(room.version)
  for (const blueprint of room.blueprints) {
    if ('refused' in run.add(blueprint)) return undefined
  }
  return run
}
