import { Type } from 'typebox'
import { duration, flag, list, size } from '../fields.js'

const host = Type.String({ maxLength: 255 })

export const previews = {
  url_previews: Type.Object(
    {
      enabled: flag(
        'Fetch pages that users link to, and show what they are about. The pages learn that somebody here links to them.',
        false,
      ),
      allow: Type.Union([Type.Null(), Type.Array(host, { maxItems: 10_000 })], {
        description:
          'Hosts that are asked, such as `www.gov.example` or `*.gov.example`; `null`: all that are not denied.',
        default: null,
      }),
      deny: list('Hosts that are never asked.', host, []),
      allowed_ip_ranges: list(
        'Addresses that are asked though they are not of the public internet, such as those of an intranet. Everybody with an account can then see the titles of its pages.',
        Type.String({ format: 'cidr' }),
        [],
      ),
      max_image_bytes: size('The largest picture of a page that is shown.', '5M'),
      timeout: duration('How long fetching a page or its picture may take.', '10s'),
      cache_lifetime: duration('How long a preview counts as new.', '12h'),
    },
    { description: 'Previews of pages that users link to.', default: {} },
  ),
}
