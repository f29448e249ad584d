import type { ThumbnailMethod } from './thumbnail-size.js'

export interface ThumbnailJob {
  /** The picture, and the file to write, which does not exist yet. */
  readonly source: string
  readonly target: string
  readonly width: number
  readonly height: number
  readonly method: ThumbnailMethod
  readonly animated: boolean
  /** Width × height × frames; what has more is refused before it is decoded. */
  readonly maxPixels: number
}

export type ThumbnailFault = 'too-large' | 'undecodable' | 'timeout' | 'crashed' | 'busy'

export type ThumbnailOutcome =
  { readonly ok: true; readonly contentType: string } | { readonly ok: false; readonly fault: ThumbnailFault }

/** Decodes pictures somewhere that may be killed. Never throws for what is in a picture. */
export interface Thumbnailer {
  render(job: ThumbnailJob): Promise<ThumbnailOutcome>
}
