/** What the server and its thumbnail processes say to each other. */
export interface ThumbnailWork {
  /** The picture, and the file to write, which does not exist yet. */
  readonly source: string
  readonly target: string
  /** Pixels. */
  readonly width: number
  readonly height: number
  readonly method: 'crop' | 'scale'
  /** Whether a moving picture shall stay one. */
  readonly animated: boolean
  /** Width × height (× frames, for those that stay moving); what has more is refused before it is decoded. */
  readonly maxPixels: number
  /** Resident bytes of the process beyond which it ends itself. */
  readonly memoryBytes: number
  readonly timeoutMs: number
}

export type ThumbnailAnswer =
  | { readonly ok: true; readonly contentType: string }
  | { readonly ok: false; readonly fault: 'too-large' | 'undecodable' }

/** The exit code of a process that would have needed too much memory. */
export const MEMORY_EXIT_CODE = 87
