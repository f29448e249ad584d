import { call, enc, eventually } from '../client.mjs'

const INFO = '/_matrix/identity/api/v1/info?medium=email&address='

/** Whose address belongs where; the directory of all ministries; the red list. */
export async function peopleStep({ alice, camille, gaelle, at, saw }) {
  const home = async (address) => (await call(at('sante').url, 'GET', `${INFO}${enc(address)}`)).body.hs
  const [ours, nobodys] = [await home('anne@finances.example'), await home('anne@home.example')]
  saw('every node says where anne@finances.example belongs', ours === at('finances').serverName, ours)
  saw('who is of no ministry belongs to the guests', nobodys === at('externe').serverName, nobodys)

  const find = async (session, term) =>
    (await session.ok('POST', '/user_directory/search', { search_term: term })).results
  const found = await eventually(async () => {
    const results = await find(camille, 'alice mar')
    if (results.length === 0) throw new Error('alice is not found at another ministry')
    return results
  })
  saw(
    'Camille finds Alice, who is of another ministry, with its name beside hers',
    found[0].user_id === alice.userId && found[0].display_name === 'Alice Martin [Finances]',
    found,
  )
  const hidden = await find(camille, 'farid')
  saw('she does not find Farid, who is on the red list', hidden.length === 0, hidden)
  const none = await find(gaelle, 'alice')
  saw('a guest finds nobody', none.length === 0, none)
  const { status } = await gaelle.call('GET', `/profile/${enc(`@farid:${at('sante').serverName}`)}`)
  saw('to a guest Farid does not exist', status === 404, status)
}
