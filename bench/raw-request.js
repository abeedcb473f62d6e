/** Requests for credentials: as text that goes over the wire, where the server is measured and no client, and sent by `fetch`. */

export function rawRequest(url, token, { role, traceparent } = {}) {
  const body = JSON.stringify({ durationSeconds: 3600, role });
  return [
    'POST /v1/credentials HTTP/1.1',
    `Host: ${url.host}`,
    `Authorization: Bearer ${token}`,
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'User-Agent: bench',
    ...(traceparent === undefined ? [] : [`traceparent: ${traceparent}`]),
    '',
    body,
  ].join('\r\n');
}

export function post(url, token) {
  return fetch(new URL('/v1/credentials', url), {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: '{"durationSeconds":3600}',
  });
}

/** The same exchange, asked of STS itself. */
export function postToSts(sts, { token, roleArn }) {
  const body = new URLSearchParams({
    Action: 'AssumeRoleWithWebIdentity',
    Version: '2011-06-15',
    RoleArn: roleArn,
    RoleSessionName: 'bench',
    WebIdentityToken: token,
    DurationSeconds: '3600',
  });
  return fetch(sts, { method: 'POST', body });
}
