import { describe, expect, it } from '@jest/globals'
import { MatrixError } from '../core/errors.js'
import { StorageError, StorageFull } from '../storage/errors.js'
import { errorAnswer } from './error-body.js'

describe('the answer to an error', () => {
  it('tells that the disk is full, in words for whoever reads it', () => {
    const answer = errorAnswer(new StorageFull(new Error('database or disk is full')))
    expect(answer.status).toBe(507)
    expect(answer.body['errcode']).toBe('M_UNKNOWN')
    expect(answer.body['error']).toContain('disk of this server is full')
    expect(answer.headers['Retry-After']).toBe('2')
    expect(answer.unexpected).toBe(true)
  })

  it.each([
    ['overloaded', false],
    ['busy', false],
    ['closed', false],
    ['faulted', true],
    ['io', true],
    ['aborted', false],
    ['unknown-outcome', true],
  ] as const)('asks to come back when the store is %s', (code, unexpected) => {
    const answer = errorAnswer(new StorageError(code, 'room.persist: a detail that is for the log'))
    expect(answer.status).toBe(503)
    expect(answer.headers['Retry-After']).toBe('2')
    expect(JSON.stringify(answer.body)).not.toContain('detail')
    expect(answer.unexpected).toBe(unexpected)
  })

  it.each(['unique', 'misuse', 'sql'] as const)(
    'keeps an error of the store of kind %s to itself',
    (code) => {
      const answer = errorAnswer(new StorageError(code, 'SELECT secrets'))
      expect(answer).toMatchObject({
        status: 500,
        body: { error: 'Internal server error' },
        unexpected: true,
      })
    },
  )

  it('takes a value that cannot be stored for the fault of who sent it', () => {
    expect(errorAnswer(new StorageError('value', 'text with a NUL character'))).toMatchObject({
      status: 400,
      body: { errcode: 'M_INVALID_PARAM' },
      unexpected: false,
      fault: 'value',
    })
  })

  it.each([502, 504])('takes %d for the fault of another server', (status) => {
    expect(errorAnswer(new MatrixError('M_UNKNOWN', 'no answer', {}, status)).unexpected).toBe(false)
  })

  it('takes an error of another kind with such a code for what it is', () => {
    expect(errorAnswer(Object.assign(new Error('x'), { code: 'full' })).status).toBe(500)
  })

  it('gives a rate limit its header, and an errcode its usual status', () => {
    const limited = errorAnswer(new MatrixError('M_LIMIT_EXCEEDED', 'slow', { retry_after_ms: 1_500 }))
    expect(limited).toMatchObject({ status: 429, headers: { 'Retry-After': '2' }, unexpected: false })
    expect(errorAnswer(new MatrixError('M_FORBIDDEN', 'no')).status).toBe(403)
  })
})
