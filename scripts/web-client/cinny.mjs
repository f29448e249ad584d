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
