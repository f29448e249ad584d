/** What a person does in Cinny, by what stands on the buttons. Written for Cinny 4.2. */

export const config = (homeserver) => ({
  defaultHomeserver: 0,
  homeserverList: [homeserver],
  allowCustomHomeservers: true,
  featuredCommunities: { openAsDefault: false, spaces: [], rooms: [], servers: [] },
  hashRouter: { enabled: false, basename: '/' },
})

export async function logIn(page, { client, homeserver, username, password }) {
  await page.goto(`${client}/login/${encodeURIComponent(homeserver)}/`)
  await page.locator('input[name=usernameInput]').fill(username)
  await page.locator('input[name=passwordInput]').fill(password)
  await page.getByRole('button', { name: 'Login', exact: true }).click()
  await page.getByText('Create Room').first().waitFor()
}

export async function createEncryptedRoom(page, name) {
  await page.getByText('Create Room').first().click()
  const dialog = page.locator('.create-room')
  await dialog.locator('input[name=name]').fill(name)
  // Private rooms are encrypted unless one says otherwise.
  await dialog.getByText('Enable end-to-end encryption').waitFor()
  await dialog.getByRole('button', { name: 'Create' }).click()
  await composer(page).waitFor()
}

export async function invite(page, userId) {
  await page.getByRole('button', { name: 'Invite Member' }).click()
  const dialog = page.locator('.invite-user')
  await dialog.locator('input').fill(userId)
  await dialog.getByRole('button', { name: 'Search' }).click()
  await dialog.getByRole('button', { name: 'Invite' }).click()
  await dialog.getByText('Invited').waitFor()
  await page.locator('.pw .ic-btn').last().click()
  await dialog.waitFor({ state: 'hidden' })
}

export async function acceptInvitation(page, client, name) {
  await page.goto(`${client}/inbox/invites/`)
  await page.getByText(name).first().waitFor()
  await page.getByRole('button', { name: 'Accept' }).click()
  await composer(page).waitFor()
}

const composer = (page) => page.locator('[data-slate-editor=true]')

export async function say(page, text) {
  await composer(page).click()
  await page.keyboard.type(text)
  await page.keyboard.press('Enter')
}

/** Waits until the text stands among the messages. */
export async function sees(page, text) {
  await page.locator('[data-message-id]').getByText(text, { exact: true }).waitFor()
}

export async function sendPicture(page, file) {
  const chooser = page.waitForEvent('filechooser')
  await composer(page).locator('xpath=ancestor::*[.//button][1]').locator('button').first().click()
  await (await chooser).setFiles(file)
  await page.getByText('Send', { exact: true }).click()
}

/** Waits until a picture of the given size is painted among the messages. */
export async function seesPicture(page, { width, height }) {
  await page.waitForFunction(
    ([w, h]) =>
      [...document.querySelectorAll('[data-message-id] img')].some(
        (img) => img.complete && img.naturalWidth === w && img.naturalHeight === h,
      ),
    [width, height],
  )
  await page.locator('[data-message-id] img').last().scrollIntoViewIfNeeded()
}

/** Types without sending, until `meanwhile` is done; then takes it back. */
export async function hesitate(page, meanwhile) {
  await composer(page).click()
  await page.keyboard.type('Perhaps')
  await meanwhile()
  for (const _ of 'Perhaps') await page.keyboard.press('Backspace')
}

/** Waits until it is said under the messages that somebody types. */
export async function seesTyping(page, username) {
  await page
    .getByText(new RegExp(`${username}.* is typing`))
    .first()
    .waitFor()
}

/** Waits until it is said under the messages that somebody has read the last of them. */
export async function seesReader(page, username) {
  await page
    .getByText(new RegExp(`${username}.* (is|are) following the conversation`))
    .first()
    .waitFor()
}

export async function openRoom(page, name) {
  await page.getByText(name, { exact: true }).first().click()
  await composer(page).waitFor()
}

async function openSecurity(page, { username }) {
  // The person's own initial, in the bar at the left.
  await page.getByText(username[0], { exact: true }).first().click()
  await page.locator('.settings-window').getByRole('button', { name: 'Security', exact: true }).click()
}

async function closeDialogs(page) {
  for (const dialog of ['.dialog', '.settings-window']) {
    if (!(await page.locator(dialog).first().isVisible())) continue
    await page.locator(`${dialog} .ic-btn`).first().click()
    await page.locator(dialog).first().waitFor({ state: 'hidden' })
  }
}

/** The keys that vouch for a person's devices, and the backup of the keys of messages, under a phrase. */
export async function setUpCrossSigning(page, person) {
  await openSecurity(page, person)
  await page.getByRole('button', { name: 'Setup', exact: true }).click()
  await page.locator('input[name=phrase]').fill(person.phrase)
  await page.locator('input[name=confirmPhrase]').fill(person.phrase)
  await page.getByRole('button', { name: 'Set Phrase' }).click()
  await page.getByText('Please save this security key somewhere safe.').waitFor()
  await closeDialogs(page)
}

/** Two pages of one person compare pictures; afterwards the first vouches for the second. */
export async function verifyByEmoji(from, to, person) {
  await openSecurity(from, person)
  await from.locator('.device-manage').getByRole('button', { name: 'Verify' }).first().click()
  await to.locator('.emoji-verification').getByRole('button', { name: 'Accept' }).click()
  const shown = async (page) => {
    await page.getByRole('button', { name: 'They match' }).waitFor()
    return page.locator('.emoji-verification__emojis').innerText()
  }
  const [here, there] = await Promise.all([shown(from), shown(to)])
  if (here !== there) throw new Error(`the pictures differ: ${here} / ${there}`)
  await from.getByRole('button', { name: 'They match' }).click()
  await to.getByRole('button', { name: 'They match' }).click()
  await from.locator('.device-manage').getByText('No unverified sessions').waitFor()
  await closeDialogs(from)
}

/** Fetches the keys of messages from the backup on the server, with the phrase that opens it. */
export async function restoreBackup(page, person) {
  await openSecurity(page, person)
  const tile = page.locator('.setting-tile').filter({ hasText: 'Encrypted messages backup' })
  await tile.locator('.ic-btn').first().click()
  await page.locator('.secret-storage-access input[name=password]').fill(person.phrase)
  await page.getByRole('button', { name: 'Continue' }).click()
  await page.getByText('Successfully restored backup keys').waitFor()
  await closeDialogs(page)
}
