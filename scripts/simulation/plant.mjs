import { cpSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const FOLDER = new URL('./planted-bugs/', import.meta.url)

/** The bugs: `{ name, what, file, find, replace }`; `find` stands in the file exactly once. */
export function plantedBugs() {
  return readdirSync(FOLDER)
    .toSorted()
    .map((file) => ({
      name: file.replace(/\.json$/, ''),
      ...JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')),
    }))
}

/** The text of the file with the bug. Throws where the place is not found, or more than once. */
export function planted({ name, file, find, replace }, text = readFileSync(join(ROOT, file), 'utf8')) {
  if (text.split(find).length !== 2) throw new Error(`${name}: its place in ${file} is there ${text.split(find).length - 1} times`) // prettier-ignore
  return text.replace(find, () => replace)
}

/** A copy of the sources with the bug; the caller removes it. */
export function plantedCopy(bug) {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-planted-'))
  cpSync(join(ROOT, 'src'), join(folder, 'src'), {
    recursive: true,
    filter: (path) => !path.endsWith('.test.ts'),
  })
  for (const name of ['package.json', 'node_modules']) symlinkSync(join(ROOT, name), join(folder, name))
  writeFileSync(join(folder, bug.file), planted(bug))
  return folder
}
