"""A Ray cluster of several nodes on this machine, for tests; `ray_driver` is its driver.

python ray_nodes.py NODES

Its head has no core, and each further node one. The address is printed on stdout; then each line on stdin is a
command: `kill` kills a node, `add` adds one; a line on stdout confirms it. The cluster ends with stdin.
"""

from __future__ import annotations

import sys

from ray.cluster_utils import Cluster

STORE_BYTES = 80 << 20


def main(nodes: str) -> None:
    cluster = Cluster()
    cluster.add_node(num_cpus=0, object_store_memory=STORE_BYTES, include_dashboard=False)
    for _ in range(int(nodes)):
        cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line == "add\n":
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        else:
            cluster.remove_node(min(cluster.worker_nodes, key=id), allow_graceful=False)
        print("done", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
