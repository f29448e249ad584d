import type { Readable } from 'node:stream'
import type { MatrixError } from '../../core/errors.js'

/** A stored file that somebody asks for. */
export interface AskedFile {
  /** Lower-case hexadecimal. */
  readonly sha256: string
  /** `mxc://…` */
  readonly uri: string
  readonly size: number
  /** As its sender declares it. */
  readonly contentType: string
  open(): Promise<Readable>
}

/** Nothing: it may be given. */
export interface GateVerdict {
  readonly error?: MatrixError
  /** Whether the medium, and all with the same bytes, shall be given to nobody any more until an administrator says so. */
  readonly quarantine?: boolean
}

/** Looks at every file before it is given to anybody: users, other servers, whoever makes thumbnails of it. */
export interface MediaGate {
  /** In whose name media are put into quarantine. */
  readonly name: string
  /** `server`: the server that asks; undefined for users. Throws where the file cannot be looked at: it is then not given. */
  look(file: AskedFile, server: string | undefined): Promise<GateVerdict>
  /** The error for what the gate has put into quarantine. */
  quarantined(): MatrixError
}
