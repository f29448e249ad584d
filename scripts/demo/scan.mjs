/** A content scanner for machines without clamd: knows the EICAR test file and nothing else. Ends with 1 where the file holds it. */
import { readFileSync } from 'node:fs'
import { EICAR } from './eicar.mjs'

process.exit(readFileSync(process.argv[2]).includes(EICAR) ? 1 : 0)
