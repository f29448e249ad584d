import type { Route } from '../route.js'
import { createContent } from './create-content.js'
import { federationGetContent } from './federation-get-content.js'
import { federationGetContentThumbnail } from './federation-get-content-thumbnail.js'
import { getConfig } from './get-config.js'
import { getConfigAuthed } from './get-config-authed.js'
import { getContent } from './get-content.js'
import { getContentAuthed } from './get-content-authed.js'
import { getContentOverrideName } from './get-content-override-name.js'
import { getContentOverrideNameAuthed } from './get-content-override-name-authed.js'
import { getContentThumbnail } from './get-content-thumbnail.js'
import { getContentThumbnailAuthed } from './get-content-thumbnail-authed.js'
import { getUrlPreview } from './get-url-preview.js'
import { getUrlPreviewAuthed } from './get-url-preview-authed.js'
import { uploadContent } from './upload-content.js'
import { uploadContentToMXC } from './upload-content-to-mxc.js'

/** The client API's content repository. SPEC: https://spec.matrix.org/v1.19/client-server-api/#content-repository */
export const mediaRoutes: readonly Route[] = [
  uploadContent,
  createContent,
  uploadContentToMXC,
  getContentAuthed,
  getContentOverrideNameAuthed,
  getContentThumbnailAuthed,
  getConfigAuthed,
  getUrlPreviewAuthed,
  getContent,
  getContentOverrideName,
  getContentThumbnail,
  getConfig,
  getUrlPreview,
]

/** The servers' own. SPEC: https://spec.matrix.org/v1.19/server-server-api/#content-repository */
export const federationMediaRoutes: readonly Route[] = [federationGetContent, federationGetContentThumbnail]
