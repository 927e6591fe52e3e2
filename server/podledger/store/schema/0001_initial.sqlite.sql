-- Pods and what hangs on them, workloads, namespaces, clusters and their writers, the stage.
--
-- Keys of large tables are (cluster_id, id), 16 bytes each; a pod without a cluster has 16 zero bytes
-- in the key. Instants are microseconds since 1970 UTC. Indexes end in the key, so that an order by
-- their columns is total: pod id, then "no cluster" behind every cluster, then cluster id.

CREATE TABLE IF NOT EXISTS clusters (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,               -- JSON object
    demo INTEGER NOT NULL,
    status_orchestratormetadata_version TEXT,
    type INTEGER,
    status_providermetadata_cluster_type INTEGER
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX IF NOT EXISTS clusters_by_name ON clusters (name);

-- A fence outlives its cluster: a former writer stays fenced when the cluster is registered again.
CREATE TABLE IF NOT EXISTS fences (
    cluster_id BLOB NOT NULL PRIMARY KEY,
    fence INTEGER NOT NULL,
    epoch BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS writers (
    cluster_id BLOB NOT NULL PRIMARY KEY,
    revision INTEGER NOT NULL,
    pods INTEGER NOT NULL,
    tombstones INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,        -- of the first and the last batch
    last_seen INTEGER NOT NULL,
    epoch BLOB NOT NULL,                -- from here on the checkpoint
    seq INTEGER NOT NULL,
    versions TEXT NOT NULL,             -- JSON object
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is searched comes before the bytes of the message, what only a writer reads behind them.
CREATE TABLE IF NOT EXISTS pods (
    cluster_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    folded TEXT,                        -- the name in lower case, where that differs
    namespace TEXT NOT NULL,
    deploymentid BLOB,                  -- NULL when empty or not a UUID
    created INTEGER,
    rev INTEGER NOT NULL,               -- revision of the cluster that wrote the row
    hash BLOB NOT NULL,                 -- of the content as mapped; empty when it must be sent again
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    uid TEXT NOT NULL,
    owner_uid TEXT,                     -- tracked direct owner
    tells INTEGER NOT NULL,             -- 1 when it may tell the row of its workload
    blob BLOB NOT NULL,                 -- storage.Pod
    side BLOB NOT NULL,                 -- the rest of the PodRecord, deflated against the blob
    PRIMARY KEY (cluster_id, id)
) STRICT, WITHOUT ROWID;

-- The default order. Its further columns let filters run on the index alone.
CREATE INDEX IF NOT EXISTS pods_by_deployment ON pods (
    deploymentid, id, (cluster_id = x'00000000000000000000000000000000'), cluster_id, namespace, name
);

CREATE INDEX IF NOT EXISTS pods_by_name ON pods (
    name, id, (cluster_id = x'00000000000000000000000000000000'), cluster_id
);

CREATE INDEX IF NOT EXISTS pods_by_folded_name ON pods (folded) WHERE folded IS NOT NULL;

CREATE INDEX IF NOT EXISTS pods_by_id ON pods (
    id, (cluster_id = x'00000000000000000000000000000000'), cluster_id
);

CREATE INDEX IF NOT EXISTS pods_by_namespace ON pods (cluster_id, namespace, id);

-- The order of exports once more, without the bytes: filters walk this one and fetch what they keep.
CREATE INDEX IF NOT EXISTS pods_by_key ON pods (cluster_id, id, namespace, name, deploymentid);

CREATE INDEX IF NOT EXISTS pods_by_owner ON pods (cluster_id, owner_uid) WHERE owner_uid IS NOT NULL;

CREATE TABLE IF NOT EXISTS live_instances (
    cluster_id BLOB NOT NULL,
    pod_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    imagedigest TEXT NOT NULL,
    PRIMARY KEY (cluster_id, pod_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS live_instances_by_digest ON live_instances (imagedigest, cluster_id, pod_id);

-- Every run that was ever recorded as finished, also those that the pod no longer shows.
CREATE TABLE IF NOT EXISTS finished_runs (
    cluster_id BLOB NOT NULL,
    pod_id BLOB NOT NULL,
    container TEXT NOT NULL,
    key TEXT NOT NULL,
    PRIMARY KEY (cluster_id, pod_id, container, key)
) STRICT, WITHOUT ROWID;

-- Gone pods with their last record, apart from the live ones. Without bytes only the identity is known.
CREATE TABLE IF NOT EXISTS tombstones (
    cluster_id BLOB NOT NULL,
    id BLOB NOT NULL,
    reason TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rev INTEGER NOT NULL,
    first_seen INTEGER,                 -- NULL when the pod was never seen alive
    last_seen INTEGER,
    deleted_at INTEGER NOT NULL,
    blob BLOB,
    side BLOB,
    PRIMARY KEY (cluster_id, id)
) STRICT, WITHOUT ROWID;

-- A row exists while a live pod of the cluster carries its id, and tells what the newest of them tells; or
-- it was told as a whole and has no newest pod. What is searched has the names of the search model; it is
-- NULL where nobody tells it. Maps are JSON objects, lists are JSON arrays.
CREATE TABLE IF NOT EXISTS workloads (
    cluster_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    namespace TEXT NOT NULL,
    namespaceid BLOB,
    clustername TEXT NOT NULL,
    labels TEXT,
    podlabels TEXT,
    annotations TEXT,
    created INTEGER,
    hash INTEGER,                       -- unsigned, less 2^63
    serviceaccount TEXT,
    serviceaccountpermissionlevel INTEGER,
    imagepullsecrets TEXT,
    riskscore REAL,
    orchestratorcomponent INTEGER,
    platformcomponent INTEGER,
    newest_pod BLOB,
    newest_created INTEGER,
    newest_uid TEXT,
    digest BLOB NOT NULL,               -- of the row with all its children, but for namespaceid and clustername
    PRIMARY KEY (cluster_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS workloads_by_id ON workloads (id, cluster_id);

CREATE INDEX IF NOT EXISTS workloads_by_namespace ON workloads (cluster_id, namespace);

CREATE INDEX IF NOT EXISTS workloads_by_cluster_name ON workloads (cluster_id, clustername);

CREATE TABLE IF NOT EXISTS workload_containers (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    container INTEGER NOT NULL,         -- position, from 0; likewise below
    type INTEGER,
    image_name_fullname TEXT,
    image_name_registry TEXT,
    image_name_remote TEXT,
    image_name_tag TEXT,
    image_id TEXT,
    image_idv2 TEXT,
    securitycontext_privileged INTEGER,
    securitycontext_readonlyrootfilesystem INTEGER,
    securitycontext_addcapabilities TEXT,
    securitycontext_dropcapabilities TEXT,
    resources_cpucoresrequest REAL,
    resources_cpucoreslimit REAL,
    resources_memorymbrequest REAL,
    resources_memorymblimit REAL,
    PRIMARY KEY (cluster_id, workload_id, container)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS workload_containers_by_workload ON workload_containers (workload_id, cluster_id);

CREATE TABLE IF NOT EXISTS workload_container_envs (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    container INTEGER NOT NULL,
    position INTEGER NOT NULL,
    key TEXT,
    value TEXT,
    envvarsource INTEGER,
    PRIMARY KEY (cluster_id, workload_id, container, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workload_container_volumes (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    container INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT,
    source TEXT,
    destination TEXT,
    type TEXT,
    readonly INTEGER,
    PRIMARY KEY (cluster_id, workload_id, container, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workload_container_secrets (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    container INTEGER NOT NULL,
    position INTEGER NOT NULL,
    name TEXT,
    path TEXT,
    PRIMARY KEY (cluster_id, workload_id, container, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS workload_ports (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    port INTEGER NOT NULL,
    exposure INTEGER,
    PRIMARY KEY (cluster_id, workload_id, port)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS workload_ports_by_workload ON workload_ports (workload_id, cluster_id);

CREATE TABLE IF NOT EXISTS workload_port_exposures (
    cluster_id BLOB NOT NULL,
    workload_id BLOB NOT NULL,
    port INTEGER NOT NULL,
    position INTEGER NOT NULL,
    level INTEGER,
    servicename TEXT,
    serviceport INTEGER,
    nodeport INTEGER,
    externalips TEXT,
    externalhostnames TEXT,
    PRIMARY KEY (cluster_id, workload_id, port, position)
) STRICT, WITHOUT ROWID;

-- The objects of top owners, by the id of the workload that they tell of. They come before or after the pods.
CREATE TABLE IF NOT EXISTS owner_objects (
    cluster_id BLOB NOT NULL,
    id BLOB NOT NULL,
    labels TEXT NOT NULL,               -- JSON object
    annotations TEXT NOT NULL,          -- JSON object
    created INTEGER,
    PRIMARY KEY (cluster_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS namespaces (
    cluster_id BLOB NOT NULL,
    id BLOB NOT NULL,
    name TEXT NOT NULL,
    labels TEXT NOT NULL,               -- JSON object
    annotations TEXT NOT NULL,          -- JSON object
    PRIMARY KEY (cluster_id, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS namespaces_by_name ON namespaces (cluster_id, name);

CREATE INDEX IF NOT EXISTS namespaces_by_id ON namespaces (id, cluster_id);

-- How many live pods, and with it the list of all namespaces that have one.
CREATE TABLE IF NOT EXISTS pod_counts (
    cluster_id BLOB NOT NULL,
    namespace TEXT NOT NULL,
    pods INTEGER NOT NULL,
    PRIMARY KEY (cluster_id, namespace)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS staging (
    stage TEXT NOT NULL,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    version TEXT NOT NULL,
    name TEXT NOT NULL,
    payload BLOB NOT NULL,
    PRIMARY KEY (stage, kind, key)
) STRICT, WITHOUT ROWID;
