import { contentDisposition } from '../../services/media/content-disposition.js'
import type { Media, MediaFile } from '../../services/media/media.js'
import { multipartAnswer } from '../../services/media/multipart-writer.js'
import { reply, type Reply } from '../route.js'

/** A medium in the two parts that servers exchange. */
export async function federationMediaAnswer(media: Media, file: MediaFile): Promise<Reply> {
  const answer = multipartAnswer(
    {
      contentType: file.contentType,
      contentDisposition: contentDisposition(file.contentType, file.fileName),
      size: file.size,
      content: await file.open(),
    },
    media.boundary(),
  )
  return reply({
    headers: {
      'Content-Type': answer.contentType,
      'Content-Length': String(answer.contentLength),
      'X-Content-Type-Options': 'nosniff',
    },
    body: answer.body,
  })
}
