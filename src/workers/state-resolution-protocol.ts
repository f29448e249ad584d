import type { PortableEvent, PortableResolution } from '../core/state/portable.js'

/** Sent to the thread: parts of the events, then the work that they are for. It keeps nothing from one work to the next. */
export type ResolutionMessage =
  | { readonly kind: 'events'; readonly events: readonly PortableEvent[] }
  | { readonly kind: 'resolve'; readonly resolution: PortableResolution }

export type ResolutionAnswer =
  | { readonly ok: true; readonly resolved: readonly (readonly [string, string])[] }
  | { readonly ok: false; readonly reason: string }
