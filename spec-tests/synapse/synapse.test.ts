import { afterAll, beforeAll, describe, it } from '@jest/globals'
import { deviceScenarios } from './devices.js'
import { directoryScenarios } from './directory.js'
import { encryptedChats } from './encrypted-chat.js'
import { ephemeralScenarios } from './ephemeral.js'
import { historyScenarios } from './history.js'
import { membershipScenarios } from './membership.js'
import { startPair, type Pair } from './pair.js'
import { partitionScenarios } from './partition.js'
import { threeServers } from './three-servers.js'

const PYTHON = process.env['CHANCERY_SYNAPSE_PYTHON']
const VERSIONS = process.env['CHANCERY_SYNAPSE_VERSIONS']?.split(',') ?? ['6', '9', '10', '11', '12']

if (PYTHON === undefined || PYTHON === '')
  it.skip('a federation with Synapse: `node scripts/synapse.mjs` runs these tests', () => undefined)
else
  describe('a federation of this server with Synapse', () => {
    let pair: Pair
    beforeAll(async () => {
      pair = await startPair(PYTHON)
    })
    afterAll(async () => {
      await pair?.dispose()
    })
    membershipScenarios(() => pair, VERSIONS)
    partitionScenarios(() => pair, VERSIONS)
    ephemeralScenarios(() => pair)
    directoryScenarios(() => pair)
    historyScenarios(() => pair)
    deviceScenarios(() => pair)
    threeServers(() => pair)
    encryptedChats(() => pair)
  })
