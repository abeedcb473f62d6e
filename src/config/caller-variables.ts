/**
 * Environment variables of the commands that ask a broker, for credentials or as an administrator. They are no settings
 * of the broker, but may well be set where one is configured.
 */
export const callerVariables = {
  broker: 'TOKEN_BROKER_URL',
  role: 'TOKEN_BROKER_ROLE',
  duration: 'TOKEN_BROKER_DURATION',
  tokenFile: 'TOKEN_BROKER_TOKEN_FILE',
  tokenEndpoint: 'TOKEN_BROKER_TOKEN_ENDPOINT',
  clientId: 'TOKEN_BROKER_CLIENT_ID',
  clientSecretFile: 'TOKEN_BROKER_CLIENT_SECRET_FILE',
  scopes: 'TOKEN_BROKER_SCOPES',
  cacheDirectory: 'TOKEN_BROKER_CACHE_DIR',
  authorizationFile: 'TOKEN_BROKER_AUTHORIZATION_FILE',
  adminUrl: 'TOKEN_BROKER_ADMIN_URL',
  adminTokenFile: 'TOKEN_BROKER_ADMIN_TOKEN_FILE',
  sessionFile: 'TOKEN_BROKER_SESSION_FILE',
} as const;

const names: ReadonlySet<string> = new Set(Object.values(callerVariables));

export function isCallerVariable(name: string): boolean {
  return names.has(name);
}
