import { Type } from 'typebox'
import { choice, duration, flag, integer, list, size, text } from '../fields.js'

export const media = {
  media: Type.Object(
    {
      path: text('Folder of uploaded and cached files.', 'media', { format: 'data-path' }),
      max_upload_bytes: size('The largest file that a user may upload.', '50M'),
      max_image_pixels: integer(
        'The largest image, width times height, of which thumbnails are made.',
        50_000_000,
        1,
      ),
      thumbnails: list(
        'Thumbnails that are made; a request gets the nearest.',
        Type.Object({
          width: Type.Integer({ minimum: 1, maximum: 4096 }),
          height: Type.Integer({ minimum: 1, maximum: 4096 }),
          method: Type.Enum(['crop', 'scale']),
        }),
        [
          { width: 32, height: 32, method: 'crop' },
          { width: 96, height: 96, method: 'crop' },
          { width: 320, height: 240, method: 'scale' },
          { width: 640, height: 480, method: 'scale' },
          { width: 800, height: 600, method: 'scale' },
        ],
        { minItems: 1, maxItems: 20 },
      ),
      dynamic_thumbnails: flag(
        'Also make other sizes, rounded up, a bounded number for each picture.',
        false,
      ),
      legacy_unauthenticated: choice(
        'Old endpoints that give files without a log-in: `off`, `local-only` for files of this server, `on` also for cached ones.',
        ['off', 'local-only', 'on'],
        'off',
      ),
      remote_max_bytes: size('The largest file that is fetched from another server.', '100M'),
      remote_timeout: duration('How long fetching one file from another server may take.', '60s'),
      remote_cache_max_bytes: Type.Union([Type.Null(), Type.Number({ format: 'size' })], {
        description:
          'Files of other servers beyond so much are removed, the least used first; `null`: no bound.',
        default: '20G',
      }),
      remote_cache_lifetime: Type.Union([Type.Null(), Type.Number({ format: 'duration' })], {
        description: 'Files of other servers that nobody has used for so long are removed; `null`: never.',
        default: '90d',
      }),
    },
    { description: 'Files that users share.', default: {} },
  ),
} as const
