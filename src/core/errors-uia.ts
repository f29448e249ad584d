/**
 * Thrown when a request needs (more) user-interactive authentication; `body` is the 401's body
 * (`session`, `flows`, `params`, `completed`, and `errcode`/`error` when a stage has just failed).
 * SPEC: https://spec.matrix.org/v1.19/client-server-api/#user-interactive-authentication-api
 */
export class InteractiveAuthRequired extends Error {
  readonly body: Readonly<Record<string, unknown>>
  constructor(body: Readonly<Record<string, unknown>>) {
    super('user-interactive authentication required')
    this.name = 'InteractiveAuthRequired'
    this.body = body
  }
}
