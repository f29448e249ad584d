import { eventually } from '../client.mjs'
import { EICAR } from '../eicar.mjs'

async function upload(session, bytes, type) {
  const answer = await fetch(`${session.url}/_matrix/media/v3/upload`, {
    method: 'POST',
    headers: { authorization: `Bearer ${session.token}`, 'content-type': type },
    body: bytes,
  })
  if (answer.status !== 200) throw new Error(`upload: ${answer.status} ${await answer.text()}`)
  return (await answer.json()).content_uri.slice('mxc://'.length)
}

async function download(session, file) {
  const answer = await fetch(`${session.url}/_matrix/client/v1/media/download/${file}`, {
    headers: { authorization: `Bearer ${session.token}` },
  })
  return { status: answer.status, text: await answer.text() }
}

/** The test file of all virus scanners, and one without fault. */
export async function filesStep({ alice, benoit, camille, number, saw }) {
  const clean = await upload(alice, `minutes of meeting ${number}`, 'text/plain')
  const infected = await upload(alice, `${EICAR}\n${number}`, 'application/octet-stream')
  const good = await download(benoit, clean)
  saw('a clean file is given', good.text === `minutes of meeting ${number}`, good)
  const bad = await download(benoit, infected)
  const { reason } = JSON.parse(bad.text)
  saw('an infected one is not, and the client is told why', bad.status === 403 && reason === 'MCS_MEDIA_NOT_CLEAN', bad) // prettier-ignore
  const elsewhere = await download(camille, infected)
  saw('nor at another ministry', elsewhere.status >= 400 && !elsewhere.text.includes(EICAR), elsewhere)
  const remote = await eventually(async () => {
    const answer = await download(camille, clean)
    if (answer.status !== 200) throw new Error(`a clean file of another ministry: ${answer.status}`)
    return answer
  })
  saw('which gets the clean one', remote.text === good.text, remote)
}
