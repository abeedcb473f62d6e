import { ownIdentityRows } from '../../faults/rows/own-identity.ts';
import { describeFaults } from './describe-faults.ts';

describeFaults('faults of the broker as an issuer', ownIdentityRows);
