import { declareValuePlugin, PluginKind } from '@stryker-mutator/api/plugin'

/**
 * The second argument of `refuse(rule, reason)` is words for a person, which no test should pin down. The rule's name, the
 * first one, is mutated like everything else.
 */
const isProse = (path) =>
  path.listKey === 'arguments' &&
  path.key === 1 &&
  path.parent.type === 'CallExpression' &&
  path.parent.callee.type === 'Identifier' &&
  path.parent.callee.name === 'refuse'

export const strykerPlugins = [
  declareValuePlugin(PluginKind.Ignore, 'prose', {
    shouldIgnore: (path) => (isProse(path) ? 'words for a person' : undefined),
  }),
]
