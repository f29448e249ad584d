import { expect, it } from '@jest/globals'
import { splitPath } from './property-path.js'

it.each([
  ['type', ['type']],
  ['content.body', ['content', 'body']],
  ['content.m\\.relates_to.rel_type', ['content', 'm.relates_to', 'rel_type']],
  ['a\\\\.b', ['a\\', 'b']],
  ['a\\b', ['a\\b']],
  ['a\\', ['a\\']],
  ['', ['']],
  ['.', ['', '']],
])('splits %j into its parts', (path, parts) => {
  expect(splitPath(path)).toEqual(parts)
})
