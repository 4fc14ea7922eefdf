"""What simulation costs: beside a plain PyBullet script, by camera, by archetype, by worker."""
