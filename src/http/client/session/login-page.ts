import { route } from '../../route.js'
import { htmlPage } from '../page.js'

/**
 * Logs in with a password and hands the answer to the client that shows the page. Parameters of the page's address that belong to
 * `/login` go there; credentials are typed, never taken from an address.
 */
const SCRIPT = `
var form = document.querySelector('form'), fault = document.querySelector('.fault');
function say(text) { fault.textContent = text; }
form.addEventListener('submit', function (event) {
  event.preventDefault();
  var query = new URLSearchParams(location.search);
  var body = {
    type: 'm.login.password',
    identifier: { type: 'm.id.user', user: form.elements.user.value },
    password: form.elements.password.value
  };
  ['device_id', 'initial_device_display_name'].forEach(function (name) {
    if (query.has(name)) body[name] = query.get(name);
  });
  if (query.get('refresh_token') === 'true') body.refresh_token = true;
  say('');
  fetch('/_matrix/client/v3/login', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body)
  }).then(function (response) {
    return response.json().then(function (answer) {
      if (!response.ok) { say(answer.error || 'The log-in was refused.'); return; }
      form.hidden = true;
      if (window.matrixLogin && window.matrixLogin.onLogin) window.matrixLogin.onLogin(answer);
      else say('You are logged in, but no client was there to take it over.');
    });
  }).catch(function () { say('The server cannot be reached.'); });
});
`

/** SPEC: https://spec.matrix.org/v1.19/client-server-api/#login-fallback */
export const getLoginPage = route({
  id: 'getLoginPage',
  method: 'GET',
  paths: ['/_matrix/static/client/login/', '/_matrix/static/client/login'],
  auth: 'none',
  rateLimit: 'public',
  handler: () =>
    Promise.resolve(
      htmlPage({
        title: 'Log in',
        content:
          '<form method="post">' +
          '<p><label>User name <input name="user" maxlength="255" autocomplete="username" required></label></p>' +
          '<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>' +
          '<p><button type="submit">Log in</button></p></form><p class="fault" role="alert"></p>',
        script: SCRIPT,
        connects: true,
      }),
    ),
})
