import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { declareFactoryPlugin, PluginKind } from '@stryker-mutator/api/plugin'
import {
  determineHitLimitReached,
  DryRunStatus,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner'
import { transform } from '@swc/core'
import { getState, resetState } from 'jest-circus'

// A test runner for Stryker that stays in one process: the tests of a pure core are functions that can be called again. Jest
// makes a new environment for each mutant and needs seconds for it; this one needs the time of the tests. It knows the part of
// jest that these tests use, and says so where one uses more.

const SWC = { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'es6' } }
const GLOBALS = new URL('./jest-globals.mjs', import.meta.url).href

/** Compiles the sandbox's sources to JavaScript in another folder of it; gives the test files. */
async function compile(from, to) {
  const names = (await readdir(from, { recursive: true })).filter((name) => name.endsWith('.ts'))
  for (const name of names) {
    const { code } = await transform(await readFile(join(from, name), 'utf8'), SWC)
    const out = join(to, name.replace(/\.ts$/, '.js'))
    await mkdir(dirname(out), { recursive: true })
    await writeFile(out, code.replaceAll(/(['"])@jest\/globals\1/g, JSON.stringify(GLOBALS)))
  }
}

/** The tests that a block holds, in order, each with the names of the blocks around it. */
function* testsIn(block, path) {
  if (block.hooks.length > 0) throw new Error(`${path}: hooks are not supported here`)
  for (const child of block.children) {
    const name = `${path} ${child.name}`
    if (child.type === 'describeBlock') yield* testsIn(child, name)
    else if (child.mode !== undefined && child.mode !== null)
      throw new Error(`${name}: ${child.mode} is not supported here`)
    else if (child.fn.length > 0) throw new Error(`${name}: callbacks are not supported here`)
    else yield { name, run: child.fn }
  }
}

/** Loads test files afresh and gives their tests; ids are unique. */
async function load(folder, files) {
  const tests = new Map()
  for (const file of files) {
    resetState()
    await import(pathToFileURL(join(folder, file)).href)
    for (const { name, run } of testsIn(getState().rootDescribeBlock, file)) {
      let id = name
      for (let n = 2; tests.has(id); n++) id = `${name} #${n}`
      tests.set(id, { id, name, run, fileName: resolve('src/core', file.replace(/\.js$/, '.ts')) })
    }
  }
  return tests
}

/** Runs tests one after the other; stops at the first failure when `bail` holds. */
async function run(tests, context, bail) {
  const results = []
  for (const { id, name, fileName, run: call } of tests) {
    context.currentTestId = id
    const started = performance.now()
    const result = { id, name, fileName, status: TestStatus.Success }
    try {
      await call()
    } catch (error) {
      result.status = TestStatus.Failed
      result.failureMessage = String(error?.message ?? error)
    }
    context.currentTestId = undefined
    results.push({ ...result, timeSpentMs: performance.now() - started })
    if (bail && result.status === TestStatus.Failed) break
  }
  return results
}

function createRunner(options) {
  const { testFolder, skip } = options.inProcess
  const compiled = resolve('compiled')
  const context = (globalThis.__stryker__ ??= {})
  let files = []
  let pristine
  let reloads = 0
  // How long each test took last. Short ones run first, since one that fails ends the run.
  const durations = new Map()

  return {
    capabilities: () => ({ reloadEnvironment: true }),

    async init() {
      const own = join(compiled, String(process.pid))
      await compile(resolve('src/core'), join(own, '0'))
      files = (await readdir(join(own, '0', testFolder)))
        .filter((name) => name.endsWith('.test.js') && !name.endsWith(skip))
        .map((name) => join(testFolder, name))
    },

    async dryRun() {
      pristine = await load(join(compiled, String(process.pid), '0'), files)
      const tests = await run(pristine.values(), context, false)
      return { status: DryRunStatus.Complete, tests, mutantCoverage: context.mutantCoverage }
    },

    async mutantRun({ activeMutant, testFilter, hitLimit, mutantActivation, disableBail }) {
      const own = join(compiled, String(process.pid))
      let tests = (pristine ??= await load(join(own, '0'), files))
      context.hitLimit = hitLimit
      context.hitCount = hitLimit === undefined ? undefined : 0
      context.activeMutant = activeMutant.id
      let folder
      try {
        if (mutantActivation === 'static') {
          // Constants of modules hold the mutant: the same files under another name are modules anew.
          folder = join(own, String(++reloads))
          await cp(join(own, '0'), folder, { recursive: true })
          tests = await load(folder, files)
        }
        const chosen = testFilter === undefined ? [...tests.values()] : testFilter.map((id) => tests.get(id))
        const quickFirst = chosen
          .filter(Boolean)
          .sort((a, b) => (durations.get(a.id) ?? 0) - (durations.get(b.id) ?? 0))
        const results = await run(quickFirst, context, !disableBail)
        for (const { id, timeSpentMs } of results) durations.set(id, timeSpentMs)
        return toMutantRunResult(
          determineHitLimitReached(context.hitCount, hitLimit) ?? {
            status: DryRunStatus.Complete,
            tests: results,
          },
        )
      } catch (error) {
        return toMutantRunResult({ status: DryRunStatus.Error, errorMessage: String(error?.stack ?? error) })
      } finally {
        context.activeMutant = undefined
        if (folder !== undefined) await rm(folder, { recursive: true, force: true })
      }
    },
  }
}
createRunner.inject = ['options']

export const strykerPlugins = [declareFactoryPlugin(PluginKind.TestRunner, 'in-process', createRunner)]

export const strykerValidationSchema = {
  properties: {
    inProcess: {
      type: 'object',
      properties: { testFolder: { type: 'string' }, skip: { type: 'string' } },
      required: ['testFolder', 'skip'],
      additionalProperties: false,
    },
  },
}
