import { readFileSync } from 'node:fs'

/** The version in package.json, which lies one folder above both `src` and `dist`. */
export const VERSION: string = (() => {
  const file = new URL('../package.json', import.meta.url)
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
  return version
})()
