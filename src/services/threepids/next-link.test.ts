import { describe, expect, it } from '@jest/globals'
import { allowedLink } from './next-link.js'

const ALLOWED = ['https://app.example/client', 'https://other.example']

describe('a link that a person is sent to after a confirmation', () => {
  it.each([
    'https://app.example/client',
    'https://app.example/client/#/register?x=1',
    'https://other.example/',
    'https://other.example/any?x',
  ])('may be %s', (link) => {
    expect(allowedLink(link, ALLOWED)).toBe(link)
  })

  it.each([
    'https://app.example/clients',
    'https://app.example/',
    'https://app.example/client/../admin',
    'https://app.example/client/%2e%2e/admin',
    'http://other.example/',
    'https://other.example:8443/',
    'https://other.example.evil.example/',
    'https://other.example@evil.example/',
    'https://user@other.example/',
    'https:\\\\evil.example/',
    '//other.example/',
    '/client',
    'javascript:alert(1)//https://other.example',
    'data:text/html,x',
    `https://other.example/${'x'.repeat(3_000)}`,
    '',
  ])('is left out when it is %s', (link) => {
    expect(allowedLink(link, ALLOWED)).toBeUndefined()
  })

  it('is left out when none is allowed', () => {
    expect(allowedLink('https://other.example/', [])).toBeUndefined()
    expect(allowedLink('data:text/html,x', ['data:text/html,x'])).toBeUndefined()
  })
})
