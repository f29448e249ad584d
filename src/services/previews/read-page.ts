import { createPace } from '../../platform/pace.js'

/** What a page says of itself. */
export interface PageData {
  /** `og:…` properties but those of the picture, in order; the first of each name. */
  readonly og: ReadonlyMap<string, string>
  /** The address of a picture, as the page writes it. */
  readonly image: string | undefined
}

const MAX_TAGS = 50
const MAX_VALUE = 1_000
/** Elements within elements; a page that goes deeper is read up to there. */
const MAX_DEPTH = 512
const MAX_DESCRIPTION = 300
const CHUNK = 8_192
const PROPERTY = /^og:[a-z0-9_:]{1,48}$/
/** Text within these is none. */
const SILENT = new Set(['script', 'style', 'noscript', 'template', 'svg', 'nav', 'header', 'footer', 'aside'])
const IMAGES = ['og:image:secure_url', 'og:image', 'og:image:url', 'twitter:image', 'twitter:image:src']

/** One line without control characters, cut to a length. */
export function tidy(text: string, max = MAX_VALUE): string {
  const line = text
    .slice(0, 4 * max)
    .replace(/[\s\p{Cc}\p{Cf}]+/gu, ' ')
    .trim()
  return Array.from(line).slice(0, max).join('')
}

/**
 * Reads OpenGraph properties from a page; a title and a description also from where pages without them have these. Bounded in time,
 * depth and memory whatever the page; what is cut off is missing. Others have their turn meanwhile.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#get_matrixclientv1mediapreview_url
 */
export async function readPage(html: string): Promise<PageData> {
  // Loaded for the first page: a node starts faster without it.
  const { Parser } = await import('htmlparser2')
  const metas = new Map<string, string>()
  let title = ''
  let heading = ''
  let paragraph = ''
  let linkedImage: string | undefined
  let depth = 0
  let silent = 0
  let isOver = false
  const open: string[] = []
  const isIn = (name: string): boolean => open.lastIndexOf(name) >= open.length - 8 && open.includes(name)

  const parser = new Parser(
    {
      onopentag(name, attributes) {
        if (++depth > MAX_DEPTH) {
          isOver = true
          return
        }
        open.push(name)
        if (SILENT.has(name)) silent++
        if (name === 'meta') {
          const key = (attributes['property'] ?? attributes['name'] ?? '').toLowerCase().trim()
          const value = attributes['content']
          if (value !== undefined && key.length <= 60 && metas.size < 4 * MAX_TAGS && !metas.has(key))
            metas.set(key, tidy(value))
        }
        if (name === 'link' && attributes['rel'] === 'image_src') linkedImage ??= attributes['href']
      },
      ontext(text) {
        if (open.at(-1) === 'title' && title.length < MAX_VALUE) title += text.slice(0, MAX_VALUE)
        else if (silent > 0) return
        else if (isIn('h1') && heading.length < MAX_VALUE) heading += text.slice(0, MAX_VALUE)
        else if (isIn('p') && paragraph.length < MAX_DESCRIPTION) paragraph += text.slice(0, MAX_VALUE)
      },
      onclosetag(name) {
        depth--
        if (open.length > depth) open.length = Math.max(0, depth)
        if (SILENT.has(name)) silent = Math.max(0, silent - 1)
        if (name === 'p' && paragraph !== '') paragraph += ' '
      },
    },
    { decodeEntities: true },
  )
  const pace = createPace()
  for (let at = 0; at < html.length && !isOver; at += CHUNK) {
    await pace()
    parser.write(html.slice(at, at + CHUNK))
  }
  if (!isOver) parser.end()

  const og = new Map<string, string>()
  for (const [key, value] of metas) {
    if (og.size >= MAX_TAGS) break
    if (PROPERTY.test(key) && key !== 'og:image' && !key.startsWith('og:image:') && value !== '')
      og.set(key, value)
  }
  const fallback = (name: string, ...others: (string | undefined)[]): void => {
    const found = others.map((text) => tidy(text ?? '')).find((text) => text !== '')
    if (!og.has(name) && found !== undefined) og.set(name, found)
  }
  fallback('og:title', metas.get('twitter:title'), title, heading)
  fallback(
    'og:description',
    metas.get('twitter:description'),
    metas.get('description'),
    tidy(paragraph, MAX_DESCRIPTION),
  )
  const image = IMAGES.map((name) => metas.get(name)).find((text) => text !== undefined && text !== '')
  return { og, image: image ?? linkedImage }
}
