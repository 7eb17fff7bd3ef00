// Platform roles: the administrators and service accounts that providers of PostgreSQL make, by platform. None of them is ours, whatever a document says.

interface Platform {
  readonly platform: string;
  /** Nobody else calls a role so. */
  readonly roles: readonly string[];
  /** Names that others use as well: these count where one of `roles` is on the server. */
  readonly common?: readonly string[];
  /** Of `roles`: those that only say how somebody logs in, and that documents hand out. */
  readonly markers?: readonly string[];
  /** Databases of its own, which nobody else may connect to. */
  readonly databases?: readonly string[];
}

/** What the providers' documentation names, and what their servers were seen to hold. */
const PLATFORMS: readonly Platform[] = [
  {
    platform: 'Amazon RDS and Aurora',
    databases: ['rdsadmin'],
    roles: [
      'rdsadmin',
      'rds_superuser',
      'rds_replication',
      'rds_password',
      'rds_extension',
      'rds_reserved',
      'rds_ad',
      'rds_iam',
      'rdsproxyadmin',
      'rdstopmgr',
      'rdsrepladmin',
      'rdswriteforwarduser',
    ],
    common: ['postgres'],
    markers: ['rds_iam', 'rds_ad'],
  },
  {
    platform: 'Google Cloud SQL',
    databases: ['cloudsqladmin'],
    roles: [
      'cloudsqladmin',
      'cloudsqlsuperuser',
      'cloudsqlagent',
      'cloudsqlimportexport',
      'cloudsqlreplica',
      'cloudsqllogical',
      'cloudsqlobservability',
      'cloudsqlobservabilityadmin',
      'cloudsqlconnpooladmin',
      'cloudsqlinactiveuser',
      'cloudsqliamuser',
      'cloudsqliamserviceaccount',
      'cloudsqliamgroup',
      'cloudsqliamgroupuser',
      'cloudsqliamgroupserviceaccount',
    ],
    common: ['postgres'],
    markers: ['cloudsqliamuser', 'cloudsqliamserviceaccount', 'cloudsqliamgroup', 'cloudsqliamgroupuser', 'cloudsqliamgroupserviceaccount'],
  },
  {
    platform: 'Google AlloyDB',
    databases: ['alloydbadmin', 'alloydbmetadata'],
    roles: ['alloydbadmin', 'alloydbsuperuser', 'alloydbagent', 'alloydbimportexport', 'alloydbreplica', 'alloydbiamuser'],
    common: ['postgres'],
    markers: ['alloydbiamuser'],
  },
  {
    platform: 'Azure Database for PostgreSQL',
    databases: ['azure_maintenance', 'azure_sys'],
    roles: ['azuresu', 'azure_superuser', 'azure_pg_admin'],
    common: ['citus', 'replication'],
  },
  {
    platform: 'Supabase',
    roles: [
      'supabase_admin',
      'supabase_auth_admin',
      'supabase_storage_admin',
      'supabase_realtime_admin',
      'supabase_functions_admin',
      'supabase_replication_admin',
      'supabase_etl_admin',
      'supabase_privileged_role',
      'supabase_read_only_user',
    ],
    common: ['postgres', 'anon', 'authenticated', 'authenticator', 'service_role', 'dashboard_user', 'pgbouncer'],
  },
  { platform: 'Neon', roles: ['neon_superuser', 'neon_service', 'databricks_superuser'], common: ['cloud_admin'] },
  { platform: 'Crunchy Bridge', roles: ['crunchy_superuser'], common: ['postgres', 'ccp_monitoring'] },
  { platform: 'Crunchy Postgres for Kubernetes', roles: ['_crunchypgbouncer', '_crunchyrepl'], common: ['ccp_monitoring'] },
  { platform: 'CloudNativePG', roles: ['streaming_replica', 'cnpg_pooler_pgbouncer'] },
  { platform: 'the Zalando operator', roles: ['robot_zmon'], common: ['admin', 'standby', 'pooler', 'zalandos'] },
  { platform: 'DigitalOcean', databases: ['_dodb'], roles: ['doadmin'] },
  { platform: 'Aiven', roles: ['avnadmin'], common: ['_aiven'] },
  { platform: 'Scaleway', roles: ['_rdb_superadmin'] },
  { platform: 'Yandex Managed PostgreSQL', roles: ['mdb_admin', 'mdb_superuser', 'mdb_replication', 'mdb_monitor'], common: ['admin', 'monitor', 'repl'] },
  { platform: 'Alibaba Cloud', roles: ['alicloud_rds_admin', 'polar_superuser'], common: ['aurora', 'replicator'] },
  { platform: 'Huawei Cloud', roles: ['rdsAdmin', 'rdsBackup', 'rdsMetric', 'rdsRepl'], common: ['root'] },
  { platform: 'IBM Cloud', roles: ['ibm-cloud-base-user', 'ibm-cloud-base-user-ro', 'ibm-replication'], common: ['ibm', 'admin', 'repl'] },
  { platform: 'Timescale', roles: ['tsdbadmin', 'tsdbowner', 'tsdbexplorer'] },
  { platform: 'EDB', roles: ['edb_admin'] },
];

const byName = Map.groupBy(
  PLATFORMS.flatMap((platform) => [...platform.roles, ...(platform.common ?? [])].map((name) => ({ name, platform }))),
  ({ name }) => name,
);

/** Which platform made this role; undefined for one that no platform makes, or not here. */
export const platformOf = (role: string, isOnServer: (role: string) => boolean): string | undefined =>
  byName.get(role)?.find(({ platform: { roles } }) => roles.includes(role) || roles.some(isOnServer))?.platform.platform;

/** Whether a platform keeps this database for itself: where one of its roles is on the server. */
export const isPlatformDatabase = (database: string, isOnServer: (role: string) => boolean): boolean =>
  PLATFORMS.some(({ databases, roles }) => databases?.includes(database) === true && roles.some(isOnServer));

const MARKERS: ReadonlySet<string> = new Set(PLATFORMS.flatMap((platform) => platform.markers ?? []));

/** Whether membership in a platform's role only says how somebody logs in. */
export const isLoginMarker = (role: string): boolean => MARKERS.has(role);
