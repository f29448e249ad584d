import { describe, expect, it } from '@jest/globals'
import { checkedLocation } from './remote-location.js'

describe('the place another server points to', () => {
  it('may be a public name over HTTPS', () => {
    const url = 'https://cdn.example.org/a/b?sig=x%2Fy'
    expect(checkedLocation(url).href).toBe(url)
  })

  it.each([
    'http://cdn.example.org/a',
    'ftp://cdn.example.org/a',
    'file:///etc/passwd',
    'data:text/html,x',
    'javascript:alert(1)',
    '/relative',
    '//cdn.example.org/a',
    '',
    'https://user@cdn.example.org/a',
    'https://:pass@cdn.example.org/a',
    'https://cdn.example.org:8443/a',
    'https://127.0.0.1/a',
    'https://0x7f.1/a',
    'https://2130706433/a',
    'https://10.1.2.3/a',
    'https://169.254.169.254/latest/meta-data',
    'https://8.8.8.8/a',
    'https://[::1]/a',
    'https://[2606:4700::1111]/a',
    'https://localhost/a',
    'https://localhost./a',
    'https://db.internal/a',
    'https://x.local./a',
    'https://postgres/a',
    `https://cdn.example.org/${'a'.repeat(3000)}`,
  ])('may not be %j', (url) => {
    expect(() => checkedLocation(url)).toThrow(expect.objectContaining({ errcode: 'M_UNKNOWN', status: 502 }))
  })
})
