// A certified OpenID provider (oidc-provider) with people of the tests: node provider.js PORT GATEWAY
import http from 'node:http';

import { Provider } from 'oidc-provider';

const [ port, gateway ] = process.argv.slice(2);
const issuer = `http://127.0.0.1:${port}`;
const PEOPLE = { teacher: [ 'moderator' ], pupil: [] };
const PASSWORD = 'provider-pw';
const CODE = '123456';

const client = name => ({
    client_id: name,
    client_secret: `${name}-secret`,
    redirect_uris: [ `${gateway}/callback` ],
    post_logout_redirect_uris: [ `${gateway}/signed-out` ]
});
const provider = new Provider(issuer, {
    acrValues: [ 'password', 'mfa' ],
    claims: { openid: [ 'sub', 'name', 'roles', 'acr', 'amr' ] },
    clients: [ client('gateway'), client('other') ],
    conformIdTokenClaims: false,
    cookies: { keys: [ 'of the tests' ] },
    features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: {
            enabled: true,
            logoutSource(ctx, form) {
                ctx.body = `<body onload="document.forms[0].submit()">${form.replace('</form>',
                    '<input type="hidden" name="logout" value="yes"/></form>')}</body>`;
            }
        }
    },
    findAccount: (ctx, id) => ({ accountId: id, claims: () => ({ sub: id, name: id, roles: PEOPLE[id] }) }),
    interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
    async loadExistingGrant(ctx) {
        const grant = new ctx.oidc.provider.Grant({
            clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId
        });

        grant.addOIDCScope('openid');
        await grant.save();

        return grant;
    },
    pkce: { required: () => true }
});
const handle = provider.callback();

async function interact(request, response) {
    if (request.method !== 'POST') {
        response.setHeader('Content-Type', 'text/html');
        response.end('<form method="post"><input name="login"/><input name="password" type="password"/>'
            + '<input name="code"/><button>Sign in</button></form>');

        return;
    }
    let body = '';

    for await (const chunk of request) {
        body += chunk;
    }
    const { login, password, code } = Object.fromEntries(new URLSearchParams(body));

    if (!(login in PEOPLE) || password !== PASSWORD) {
        response.statusCode = 401;
        response.end('wrong');

        return;
    }
    const second = code === CODE;

    await provider.interactionFinished(request, response, {
        login: { accountId: login, acr: second ? 'mfa' : 'password', amr: second ? [ 'pwd', 'otp' ] : [ 'pwd' ] }
    }, { mergeWithLastSubmission: false });
}

http.createServer((request, response) => {
    (request.url.startsWith('/interaction/') ? interact(request, response) : handle(request, response))
        .catch(error => {
            response.statusCode = 500;
            response.end(String(error));
        });
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
