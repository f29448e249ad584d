/**
 * How the reference implementation, Python's `json`, writes back a number that it has read. Room versions 1–5 hash
 * and sign events over that text:
 *
 * - an integer of any size keeps its digits; `-0` is read as the integer 0 and written `0`;
 * - anything with a fraction or an exponent becomes a double and is written as Python's `repr` does: the shortest
 *   digits that read back the same, always with a point or an exponent (`1.0`, `1e3` → `1000.0`, `-0.0`), an exponent
 *   from 1e16 upwards (`1e+16`) and below 1e-4 (`1e-05`, two digits at least);
 * - a double that overflows to infinity and integers above 4,300 digits, which Python refuses, are refused here.
 *
 * Returns undefined for what is refused. `text` must be a JSON number.
 */
export function pythonNumber(text: string): string | undefined {
  if (!/[.eE]/.test(text)) {
    if (text === '-0') return '0'
    return text.length - (text.startsWith('-') ? 1 : 0) <= MAX_INTEGER_DIGITS ? text : undefined
  }
  return pythonFloat(Number(text))
}

const MAX_INTEGER_DIGITS = 4300

/** Python's `repr(float)`; undefined for infinities and NaN, which JSON cannot hold. */
export function pythonFloat(value: number): string | undefined {
  if (!Number.isFinite(value)) return undefined
  const sign = value < 0 || Object.is(value, -0) ? '-' : ''
  if (value === 0) return `${sign}0.0`
  // toExponential() without argument gives the shortest round-trip digits: d[.ddd]e±x
  const [mantissa = '', power = ''] = Math.abs(value).toExponential().split('e')
  const digits = mantissa.replace('.', '')
  const exponent = Number(power)
  if (exponent < -4 || exponent >= 16) {
    const size = String(Math.abs(exponent)).padStart(2, '0')
    const fraction = digits.length > 1 ? `.${digits.slice(1)}` : ''
    return `${sign}${digits[0]}${fraction}e${exponent < 0 ? '-' : '+'}${size}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}
