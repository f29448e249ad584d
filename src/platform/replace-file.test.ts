import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { replaceFile } from './replace-file.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chancery-replace-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('replacing a file', () => {
  it('keeps the mode, and leaves nothing else behind, not even what a crash had left', async () => {
    const path = join(folder, 'key')
    writeFileSync(path, 'old', { mode: 0o640 })
    writeFileSync(`${path}.new`, 'half')
    await replaceFile(path, 'new')
    expect(readFileSync(path, 'utf8')).toBe('new')
    expect(statSync(path).mode & 0o777).toBe(0o640)
    expect(readdirSync(folder)).toEqual(['key'])
  })

  it('follows a link to the file that it stands for', async () => {
    writeFileSync(join(folder, 'real'), 'old')
    symlinkSync('real', join(folder, 'link'))
    await replaceFile(join(folder, 'link'), 'new')
    expect(readFileSync(join(folder, 'real'), 'utf8')).toBe('new')
    expect(readFileSync(join(folder, 'link'), 'utf8')).toBe('new')
  })

  it('makes no file that was not there', async () => {
    await expect(replaceFile(join(folder, 'absent'), 'new')).rejects.toThrow('ENOENT')
    expect(readdirSync(folder)).toEqual([])
  })
})
