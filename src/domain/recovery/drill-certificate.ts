/**
 * What stands for every certificate in a drill: for drill.invalid, signed by itself, its key known to everybody who reads
 * this file. Servers want to parse one when they start; nobody may trust it.
 */
const certificate = [
  'MIIBoTCCAUegAwIBAgIUBOUztF4Oc/uTx8LK0mhBfT2oBmAwCgYIKoZIzj0EAwIw',
  'GDEWMBQGA1UEAwwNZHJpbGwuaW52YWxpZDAgFw0yNjExMjcyMzQ3MTlaGA8yMTI2',
  'MTEwMzIzNDcxOVowGDEWMBQGA1UEAwwNZHJpbGwuaW52YWxpZDBZMBMGByqGSM49',
  'AgEGCCqGSM49AwEHA0IABCUNkubXS+XqM0jnbJRGAhuDBPJ80hRPhoFd8IVHIEbZ',
  'OIsmYpMir2Ufp4oK8MZL+uvjWAYuaudKs8OM+czglz+jbTBrMB0GA1UdDgQWBBQv',
  'lb8r63salMxG4G1z0D77JMsrYzAfBgNVHSMEGDAWgBQvlb8r63salMxG4G1z0D77',
  'JMsrYzAPBgNVHRMBAf8EBTADAQH/MBgGA1UdEQQRMA+CDWRyaWxsLmludmFsaWQw',
  'CgYIKoZIzj0EAwIDSAAwRQIgdDZxowsYWBVit8ew5SF/AcEvbBhbk8thflJtVVy2',
  'HX4CIQCViKifPId0Dd3YwWOUGipVKjtd6VNvatrFkssYPpbXHQ==',
];

const key = [
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+gyK2d8fZcMvYQZX',
  'QbP5tLeoriXWlAL2XbEkJOPIseihRANCAAQlDZLm10vl6jNI52yURgIbgwTyfNIU',
  'T4aBXfCFRyBG2TiLJmKTIq9lH6eKCvDGS/rr41gGLmrnSrPDjPnM4Jc/',
];

/** As the data of a Secret of type kubernetes.io/tls: base64 of PEM. */
export const drillCertificate: Readonly<Record<'tls.crt' | 'tls.key', string>> = {
  'tls.crt': pem('CERTIFICATE', certificate),
  'tls.key': pem('PRIVATE KEY', key),
};

function pem(what: string, lines: readonly string[]): string {
  return btoa(`${[`-----BEGIN ${what}-----`, ...lines, `-----END ${what}-----`].join('\n')}\n`);
}
