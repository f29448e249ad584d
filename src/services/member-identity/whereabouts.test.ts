import { describe, expect, it } from '@jest/globals'
import { whereabouts, type AddressProof } from './whereabouts.js'

const OURS = 'finances.example'
const OLD = `@ana:${OURS}`
const NEW = '@ana.dupont:interieur.example'
const ADDRESS = 'ana@finances.example'

/** Of somebody whose address still belongs to this server. */
const where = (proof: AddressProof, movedTo?: (userId: string) => Promise<string | undefined>) =>
  whereabouts(
    {
      serverName: OURS,
      threepids: {
        ownerOf: (address) => Promise.resolve(address === ADDRESS ? OLD : undefined),
        checkProved: () => Promise.reject(new Error('not used')),
      },
      members: undefined,
      homeOf: () => ({ serverName: OURS, role: 'agents' }) as never,
      ...(movedTo === undefined ? {} : { movedTo }),
    },
    ADDRESS,
    proof,
  )
const moved = (userId: string): Promise<string | undefined> =>
  Promise.resolve(userId === OLD ? NEW : undefined)

describe('where the account of somebody is who has changed ministry', () => {
  it('is told to them, with where to go on, though the address still belongs here', async () => {
    expect(await where({ userId: OLD }, moved)).toEqual({ hs: OURS, new_hs: 'interieur.example' })
  })

  it('is told to nobody who does not prove the address, nor of those who stayed', async () => {
    expect(await where({}, moved)).toEqual({ hs: OURS })
    expect(await where({ userId: '@bo:finances.example' }, moved)).toEqual({ hs: OURS })
    expect(await where({ userId: OLD }, () => Promise.resolve(undefined))).toEqual({ hs: OURS })
    expect(await where({ userId: OLD })).toEqual({ hs: OURS })
  })
})
