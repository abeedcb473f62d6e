/**
 * What a developer sees who is denied, by SDK and way, as it was seen with the versions that are pinned here:
 * `says` is in the error, `reason` tells whether the broker's own message is, and the broker gets `requests` for one
 * call of the program. How often the agent asks depends on when. docs/clients.md lists the texts, because people
 * search for them.
 */

const botoContainer =
  'Error when retrieving credentials from container-role: Error retrieving metadata';
const botoSts =
  'An error occurred (AccessDenied) when calling the AssumeRoleWithWebIdentity operation';
const botoProcess = 'Error when retrieving credentials from custom-process';
const javaScriptAny = 'CredentialsProviderError: Could not load credentials from any providers';
const goContainer =
  'failed to refresh cached credentials, failed to load credentials, AccessDenied';
const rustContainer = 'Non-success status from HTTP credential provider: StatusCode(403)';
const javaContainer =
  'ContainerCredentialsProvider(): Failed to load credentials from metadata service.';

const botocore = {
  container: { says: botoContainer, reason: true, requests: 3 },
  sts: { says: botoSts, reason: true, requests: 1 },
  'credential-process': { says: botoProcess, reason: true, requests: 1 },
  agent: { says: botoContainer, reason: true },
};

export const denials = {
  javascript: {
    container: { says: javaScriptAny, reason: false, requests: 5 },
    sts: { says: 'AccessDenied: No role mapping allows this caller', reason: true, requests: 1 },
    'credential-process': { says: javaScriptAny, reason: false, requests: 2 },
    agent: { says: javaScriptAny, reason: false },
  },
  python: botocore,
  'python-older': {
    'container-token': { says: botoContainer, reason: true, requests: 3 },
    'credential-process': { says: botoProcess, reason: true, requests: 1 },
    'agent-token': { says: botoContainer, reason: true },
  },
  'aws-cli': botocore,
  go: {
    container: { says: goContainer, reason: true, requests: 1 },
    sts: { says: 'operation error STS: AssumeRoleWithWebIdentity', reason: true, requests: 1 },
    'credential-process': {
      says: 'process provider error: error in credential_process',
      reason: true,
      requests: 1,
    },
    agent: { says: goContainer, reason: true },
  },
  java: {
    container: { says: javaContainer, reason: false, requests: 1 },
    sts: {
      says: 'WebIdentityTokenFileCredentialsProvider(): No role mapping',
      reason: true,
      requests: 1,
    },
    'credential-process': {
      says: 'Failed to refresh process-based credentials.',
      reason: false,
      requests: 1,
    },
    agent: { says: javaContainer, reason: false },
  },
  rust: {
    container: { says: rustContainer, reason: false, requests: 1 },
    sts: { says: 'message: Some("No role mapping allows this caller', reason: true, requests: 1 },
    'credential-process': {
      says: 'Error retrieving credentials: external process exited with code',
      reason: true,
      requests: 1,
    },
    agent: { says: rustContainer, reason: false },
  },
};
