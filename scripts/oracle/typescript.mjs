/** `node --import …/typescript.mjs file.ts`: runs our sources as they are, for tools that no build contains. */
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
