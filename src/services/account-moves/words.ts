/** In which language rooms are told. */
export const MOVE_LANGUAGES = ['en', 'fr', 'de'] as const
export type MoveLanguage = (typeof MOVE_LANGUAGES)[number]

export interface MoveWords {
  /** Why the new account is invited. */
  invited(name: string, oldUser: string): string
  /** What the old account says last. */
  announced(name: string, newUser: string): string
}

export const MOVE_WORDS: Readonly<Record<MoveLanguage, MoveWords>> = {
  en: {
    invited: (name, oldUser) =>
      `${name} (${oldUser}) has moved to another ministry and goes on with this account.`,
    announced: (name, newUser) =>
      `${name} has moved to another ministry and goes on as ${newUser}. This account is closed: please write to the new one.`,
  },
  fr: {
    invited: (name, oldUser) =>
      `${name} (${oldUser}) a changé de ministère et poursuit les échanges avec ce compte.`,
    announced: (name, newUser) =>
      `${name} a changé de ministère et poursuit les échanges avec le compte ${newUser}. Ce compte-ci est fermé : merci d’écrire au nouveau.`,
  },
  de: {
    invited: (name, oldUser) =>
      `${name} (${oldUser}) hat das Ministerium gewechselt und schreibt mit diesem Konto weiter.`,
    announced: (name, newUser) =>
      `${name} hat das Ministerium gewechselt und schreibt als ${newUser} weiter. Dieses Konto ist geschlossen: bitte an das neue schreiben.`,
  },
}
