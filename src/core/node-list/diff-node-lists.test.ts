import { describe, expect, it } from '@jest/globals'
import { diffNodeLists } from './diff-node-lists.js'
import { authorityJson, listJson, listSigner, memberJson, parsed } from './testing.js'

const [anssi, dinum] = [listSigner('anssi'), listSigner('dinum')]

describe('the difference of two node lists', () => {
  it('names who came, who went, what changed, and who signs', () => {
    const before = parsed(
      listJson({
        authorities: [authorityJson(1, 1, [anssi])],
        members: [memberJson('a.example'), memberJson('b.example'), memberJson('c.example')],
      }),
    )
    const after = parsed(
      listJson({
        sequence: 2,
        authorities: [authorityJson(1, 1, [anssi]), authorityJson(2, 2, [anssi, dinum])],
        members: [
          memberJson('c.example', { role: 'external', left_at: 7 }),
          memberJson('a.example'),
          memberJson('d.example'),
        ],
      }),
    )
    const diff = diffNodeLists(before, after)
    expect(diff.added.map(({ serverName }) => serverName)).toEqual(['d.example'])
    expect(diff.removed.map(({ serverName }) => serverName)).toEqual(['b.example'])
    expect(diff.changed.map(({ after: { serverName }, fields }) => [serverName, fields])).toEqual([
      ['c.example', ['role', 'leftAt']],
    ])
    expect(diff.signersAdded.map(({ name }) => name)).toEqual(['dinum'])
    expect(diff.signersRemoved).toEqual([])
    expect(diff.threshold).toEqual([1, 2])
    expect(diffNodeLists(after, after)).toMatchObject({
      added: [],
      removed: [],
      changed: [],
      threshold: undefined,
    })
  })
})
