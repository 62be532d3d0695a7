export const tool = { name: 'certificate-status', description: 'Status of certificates' };
