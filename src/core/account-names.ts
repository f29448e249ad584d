import { emailDomain } from './ids/email-address.js'

/** What a template may name. `label` is what people call the server. */
export type NameField = 'local' | 'domain' | 'organisation' | 'name' | 'address' | 'label'

export const USER_ID_FIELDS: readonly NameField[] = ['local', 'domain', 'organisation']
export const DISPLAY_NAME_FIELDS: readonly NameField[] = [...USER_ID_FIELDS, 'name', 'address', 'label']

/** The whole of a Matrix id has 255 bytes, server name included. */
const MAX_LOCALPART = 120
const MAX_DISPLAY_NAME = 256
const FIELD = /\{([^{}]*)\}/g

/** What stands between braces in a template and names nothing; empty for a template that can be used. */
export function unknownFields(template: string, known: readonly NameField[]): readonly string[] {
  const found = [...template.matchAll(FIELD)].map((match) => match[1] ?? '')
  const strange = found.filter((name) => !(known as readonly string[]).includes(name))
  // A brace that is never closed would be shown to people.
  return /[{}]/.test(template.replaceAll(FIELD, '')) ? [...strange, '{'] : strange
}

const filled = (template: string, value: (field: NameField) => string): string =>
  template.replaceAll(FIELD, (_, field: string) => value(field as NameField))

const capitalised = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/** `anne-marie.dupont` is Anne-Marie Dupont. A tag behind `+` is no name. */
export function nameOfPerson(local: string): string {
  const words = (local.split('+')[0] ?? '').split(/[._]/).filter((word) => word !== '')
  return words.map((word) => word.split('-').map(capitalised).join('-')).join(' ')
}

/** The label before the longest of the suffixes, or before the last one. Pre: a domain of two labels at least, in lower case. */
export function organisationOf(domain: string, suffixes: readonly string[]): string {
  const labels = domain.split('.')
  const below = suffixes.filter((suffix) => domain.endsWith(`.${suffix}`))
  const longest = below.reduce((best, suffix) => (suffix.length > best.length ? suffix : best), '')
  const index = longest === '' ? labels.length - 2 : labels.length - longest.split('.').length - 1
  return labels[suffixes.includes(domain) ? 0 : index] ?? domain
}

/** Pre: `address` is canonical. */
export function localpartOfAddress(
  address: string,
  template: string,
  suffixes: readonly string[],
): string | undefined {
  const text = filled(template, (field) => valueOf(field, address, suffixes, ''))
  // What may stand in a new user id; a plus sign is left out, as people take the address without it for the same.
  const localpart = text.replaceAll(/[^a-z0-9_.=/-]/g, '').slice(0, MAX_LOCALPART)
  return localpart === '' || /^[0-9]+$/.test(localpart) ? undefined : localpart
}

/** Pre: `address` is canonical. */
export function displayNameOfAddress(
  address: string,
  template: string,
  { suffixes, label }: { readonly suffixes: readonly string[]; readonly label: string },
): string {
  const text = filled(template, (field) => {
    const value = valueOf(field, address, suffixes, label)
    return field === 'organisation' ? capitalised(value) : value
  })
  return text.trim().slice(0, MAX_DISPLAY_NAME)
}

function valueOf(field: NameField, address: string, suffixes: readonly string[], label: string): string {
  const local = address.slice(0, address.indexOf('@'))
  switch (field) {
    case 'local':
      return local
    case 'domain':
      return emailDomain(address)
    case 'organisation':
      return organisationOf(emailDomain(address), suffixes)
    case 'name':
      return nameOfPerson(local)
    case 'address':
      return address
    case 'label':
      return label
  }
}
