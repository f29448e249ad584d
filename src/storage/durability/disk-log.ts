import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** One record of the shim's log; see shim.c. */
export interface DiskRecord {
  readonly type: 'named' | 'created' | 'written' | 'truncated' | 'sync-begins' | 'sync-ends' | 'removed'
  readonly file: number
  /** Where it was written, or the new length, or the token of a sync; undefined for an append. */
  readonly offset: number | undefined
  readonly data: Buffer
}

const TYPES = ['named', 'created', 'written', 'truncated', 'sync-begins', 'sync-ends', 'removed'] as const
const HEAD = 32
const SECTOR = 512
const APPEND = 0xffff_ffff_ffff_ffffn

export function readDiskLog(path: string): DiskRecord[] {
  const bytes = readFileSync(path)
  const records: DiskRecord[] = []
  let at = 0
  // The end of the process may have cut the last record short.
  while (at + HEAD <= bytes.length) {
    const offset = bytes.readBigUInt64LE(at + 16)
    const length = Number(bytes.readBigUInt64LE(at + 24))
    if (at + HEAD + length > bytes.length) break
    records.push({
      type: TYPES[Number(bytes.readBigUInt64LE(at)) - 1]!,
      file: Number(bytes.readBigUInt64LE(at + 8)),
      offset: offset === APPEND ? undefined : Number(offset),
      data: bytes.subarray(at + HEAD, at + HEAD + length),
    })
    at += HEAD + length
  }
  return records
}

/** What a file holds, growing as needed. */
interface Image {
  bytes: Buffer
  length: number
}

/** A disk replayed from a log, which can be looked at as a power cut would have left it. */
export interface Disk {
  /** Replays up to, without, the record `cut`. Cuts must ascend. */
  advance(cut: number): void
  /**
   * Writes the files into `folder` as a cut at this moment could have left them: all that a completed sync covers, and of the
   * later writes each sector with the probability `luck`, in any combination. Files whose names were not synced may be missing.
   */
  cutInto(folder: string, luck: number, random: () => number): void
  /** The text appended to a file so far, whether synced or not. */
  appended(name: string): string
}

interface FileState {
  readonly name: string
  durable: Image
  /** Not covered by a completed sync, in order. */
  pending: { readonly index: number; readonly record: DiskRecord }[]
  appended: string
  /** The record that created it, or -1 for a file that was there. */
  created: number
  /** The record that removed it, or -1. */
  removed: number
}

/** `base`: what files held before the log began, by name. */
export function replay(records: readonly DiskRecord[], base: ReadonlyMap<string, Buffer> = new Map()): Disk {
  const files = new Map<number, FileState>()
  const syncs = new Map<number, number>()
  let at = 0
  let folderSynced = -1

  function apply(record: DiskRecord, index: number): void {
    if (record.type === 'named') {
      const before = base.get(record.data.toString())
      files.set(record.file, {
        name: record.data.toString(),
        durable: before === undefined ? emptyImage() : { bytes: Buffer.from(before), length: before.length },
        pending: [],
        appended: '',
        created: -1,
        removed: -1,
      })
      return
    }
    const file = files.get(record.file)!
    if (record.type === 'created') begun(file, index)
    else if (record.type === 'sync-begins') syncs.set(record.offset!, index)
    else if (record.type === 'sync-ends') synced(file, syncs.get(record.offset!)!)
    else if (record.type === 'removed') file.removed = index
    else if (record.offset === undefined) file.appended += record.data.toString()
    else file.pending.push({ index, record })
  }

  /** A file of the name of one that was removed is another file. */
  function begun(file: FileState, index: number): void {
    file.created = index
    file.removed = -1
    file.durable = emptyImage()
    file.pending = []
  }

  function synced(file: FileState, began: number): void {
    if (file.name === '.') folderSynced = began
    const covered = file.pending.filter(({ index }) => index < began)
    for (const { record } of covered) change(file.durable, record)
    file.pending = file.pending.slice(covered.length)
  }

  return {
    advance(cut) {
      for (; at < cut; at++) apply(records[at]!, at)
    },
    cutInto(folder, luck, random) {
      for (const file of files.values()) {
        if (file.name === '.' || file.appended !== '') continue
        if (file.created > folderSynced && random() >= luck) continue
        if (file.removed >= 0 && (file.removed < folderSynced || random() < luck)) continue
        const image = { bytes: Buffer.from(file.durable.bytes), length: file.durable.length }
        for (const { record } of file.pending) {
          for (const piece of sectors(record)) if (random() < luck) change(image, piece)
        }
        writeFileSync(join(folder, file.name), image.bytes.subarray(0, image.length))
      }
    },
    appended(name) {
      return [...files.values()].find((file) => file.name === name)?.appended ?? ''
    },
  }
}

function emptyImage(): Image {
  return { bytes: Buffer.alloc(0), length: 0 }
}

function change(image: Image, record: DiskRecord): void {
  const offset = record.offset!
  if (record.type === 'truncated') {
    resize(image, offset)
    return
  }
  const end = offset + record.data.length
  if (end > image.length) resize(image, end)
  record.data.copy(image.bytes, offset)
}

/** What lies between the old end and the new one is zeros. */
function resize(image: Image, length: number): void {
  if (length > image.bytes.length) {
    const larger = Buffer.alloc(Math.max(length, image.bytes.length * 2))
    image.bytes.copy(larger, 0, 0, image.length)
    image.bytes = larger
  } else if (length < image.length) {
    image.bytes.fill(0, length, image.length)
  }
  image.length = length
}

/** The parts of a write that reach the disk each as a whole. */
function* sectors(record: DiskRecord): Generator<DiskRecord> {
  if (record.type === 'truncated') {
    yield record
    return
  }
  const offset = record.offset!
  let from = 0
  while (from < record.data.length) {
    const to = Math.min(record.data.length, (Math.floor((offset + from) / SECTOR) + 1) * SECTOR - offset)
    yield { ...record, offset: offset + from, data: record.data.subarray(from, to) }
    from = to
  }
}
