/**
 * The one error that services throw on purpose: a Matrix errcode, words for a person, and the extra fields
 * that the specification gives some errors. HTTP status codes are the business of `http/` alone.
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#standard-error-response
 */
export class MatrixError extends Error {
  readonly errcode: string
  readonly extra: Readonly<Record<string, unknown>>
  /** Only where the specification wants another status than the errcode's usual one. */
  readonly status: number | undefined

  constructor(
    errcode: string,
    message: string,
    extra: Readonly<Record<string, unknown>> = {},
    status?: number,
  ) {
    super(message)
    this.name = 'MatrixError'
    this.errcode = errcode
    this.extra = extra
    this.status = status
  }
}

export const forbidden = (message: string): MatrixError => new MatrixError('M_FORBIDDEN', message)
export const notFound = (message: string): MatrixError => new MatrixError('M_NOT_FOUND', message)
export const badJson = (message: string): MatrixError => new MatrixError('M_BAD_JSON', message)
export const invalidParam = (message: string): MatrixError => new MatrixError('M_INVALID_PARAM', message)
export const missingParam = (message: string): MatrixError => new MatrixError('M_MISSING_PARAM', message)
