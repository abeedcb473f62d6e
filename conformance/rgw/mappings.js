/** Who may do what, by session policies: what RGW then allows and denies is compared with them. */

export const pool = 'us-east-1_Conform01';
export const table = 'conformance';
/** RGW takes an account for a tenant. */
export const account = '123456789012';
export const rolePath = '/broker/';

export const clients = ['reader', 'writer', 'keeper', 'whole', 'elsewhere'].map((name) => ({
  clientId: `${name}0example0client`.padEnd(26, '0'),
  clientSecret: 'conformance',
  name,
  scopes: ['conformance/use'],
  // As Cognito issues them without a trigger.
  aud: 'none',
}));

const statements = {
  reader: [
    {
      Effect: 'Allow',
      Action: 's3:GetObject',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a template of the broker
      Resource: 'arn:aws:s3:::invoices/${claim:sub}/*',
    },
  ],
  writer: [{ Effect: 'Allow', Action: 's3:PutObject', Resource: 'arn:aws:s3:::invoices/new/*' }],
  keeper: [
    { Effect: 'Allow', Action: 's3:*', Resource: 'arn:aws:s3:::invoices/*' },
    { Effect: 'Deny', Action: 's3:DeleteObject', Resource: 'arn:aws:s3:::invoices/*' },
  ],
};

export const mappings = clients.map(({ name, clientId }) => ({
  id: name,
  principal: { pool, client: clientId },
  effect: 'allow',
  role: `arn:aws:iam::${account}:role${rolePath}${name}`,
  session: {
    ...(statements[name] === undefined
      ? {}
      : { policy: { Version: '2012-10-17', Statement: statements[name] } }),
  },
  owner: 'conformance',
}));
