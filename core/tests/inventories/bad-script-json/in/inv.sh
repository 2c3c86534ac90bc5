#!/bin/sh
echo "{nope"
