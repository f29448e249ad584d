import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { readAppservices } from '../config/appservices.js'
import type { Fault } from '../config/fault.js'
import type { ReadableConfig } from '../config/schema.js'
import { readKeyFile } from './key-file.js'

const READABLE = 'Make it readable for the user that runs the server, or correct the path.'

const reason = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? (error as Error).message

function requireWritable(folder: string): void {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK)
  } catch (error) {
    throw new Error(`the folder cannot be written (${reason(error)}): ${folder}`)
  }
}

/** What is wrong with the files and folders that a configuration names; of one with other faults, as far as it can be read. */
export function filesAtFault(config: ReadableConfig): Fault[] {
  const faults: Fault[] = []
  const attempt = <T>(path: Fault['path'], remedy: string, check: () => T): T | undefined => {
    try {
      return check()
    } catch (error) {
      faults.push({ path, problem: reason(error), remedy })
      return undefined
    }
  }
  const read = (path: Fault['path'], file: string): string | undefined => {
    try {
      return readFileSync(file, 'utf8')
    } catch (error) {
      faults.push({
        path,
        problem: `names a file that cannot be read (${reason(error)}): ${file}`,
        remedy: READABLE,
      })
      return undefined
    }
  }
  const certificates = (path: Fault['path'], files: readonly (string | undefined)[] = []): void => {
    for (const [index, file] of files.entries()) {
      if (file === undefined) continue
      const text = read([...path, index], file)
      if (text === undefined || text.includes('-----BEGIN CERTIFICATE-----')) continue
      faults.push({
        path: [...path, index],
        problem: `holds no certificate: ${file}`,
        remedy: 'Name a file in PEM form.',
      })
    }
  }

  const folder = config.data_dir
  if (folder !== undefined) {
    attempt(['data_dir'], 'Make the folder, and let the user that runs the server write into it.', () => {
      if (!existsSync(folder)) throw new Error(`the folder is not there: ${folder}`)
      if (!statSync(folder).isDirectory()) throw new Error(`is not a folder: ${folder}`)
      requireWritable(folder)
    })
  }
  const media = config.media?.path
  if (media !== undefined && existsSync(media))
    attempt(['media', 'path'], 'Let the user that runs the server write into it.', () =>
      requireWritable(media),
    )
  const key = config.signing_key_path
  if (key !== undefined)
    attempt(
      ['signing_key_path'],
      'Restore it from a backup, or make a new one with `chancery generate-key`.',
      () => readKeyFile(key),
    )
  for (const [index, listener] of (config.listeners ?? []).entries()) {
    const tls = listener?.tls
    if (tls === undefined) continue
    const at = ['listeners', index, 'tls']
    const cert = tls.certificate === undefined ? undefined : read([...at, 'certificate'], tls.certificate)
    const privateKey = tls.key === undefined ? undefined : read([...at, 'key'], tls.key)
    const remedy = 'Expected a certificate with its chain, and its own private key, both as PEM.'
    if (cert !== undefined) attempt([...at, 'certificate'], remedy, () => createSecureContext({ cert }))
    if (privateKey !== undefined)
      attempt([...at, 'key'], remedy, () => createSecureContext({ cert, key: privateKey }))
  }
  certificates(['federation', 'ca_files'], config.federation?.ca_files)
  for (const [server, files] of Object.entries(config.federation?.server_ca_files ?? {}))
    certificates(['federation', 'server_ca_files', server], files)
  certificates(['mail', 'ca_files'], config.mail?.ca_files)
  const registrations = (config.appservices ?? []).map((file, index) => ({
    file: file ?? '',
    text: file === undefined ? undefined : read(['appservices', index], file),
  }))
  faults.push(...readAppservices(registrations, config.server_name ?? 'localhost').faults)
  return faults
}
