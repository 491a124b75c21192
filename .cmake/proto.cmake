# Code for proto/sluice/v1/*.proto, made in the build folder.
#
# The first line of a .proto says which library is its own: "// codec: nanopb" or "// codec: protobuf-c". The room wire links
# target "proto", which has each message once. Target "proto_witness" has every message by the *other* library, so that a test
# can check that what one writes the other reads. Their names do not collide (sluice_v1_Job, Sluice__V1__Job), so a test may
# link both.
#
#   protobuf-c   #include "sluice/v1/x.pb-c.h"
#   nanopb       #include "sluice/v1/x.pb.h"      bounds in x.options; the witness bounds what has none: WITNESS_BOUNDS
set(WITNESS_BOUNDS "-s max_size:512 -s max_count:8")

find_program(PROTOC protoc REQUIRED)
find_program(PROTOC_GEN_C protoc-gen-c REQUIRED)
find_program(PROTOC_GEN_NANOPB protoc-gen-nanopb REQUIRED)

# generate(RET CODEC PROTO OUT [OPTION...]): the .c file that PROTO becomes
function(generate ret codec proto out)
  set(base ${CMAKE_SOURCE_DIR}/proto)
  file(RELATIVE_PATH stem ${base} ${proto})
  string(REGEX REPLACE "\\.proto$" "" stem ${stem})
  if(codec STREQUAL nanopb)
    set(made ${out}/${stem}.pb)
    set(command ${PROTOC} -I${base} --plugin=protoc-gen-nanopb=${PROTOC_GEN_NANOPB} --nanopb_out=${out})
    foreach(option ${ARGN})
      list(APPEND command --nanopb_opt=${option})
    endforeach()
  else()
    set(made ${out}/${stem}.pb-c)
    set(command ${PROTOC} -I${base} --plugin=protoc-gen-c=${PROTOC_GEN_C} --c_out=${out})
  endif()
  file(GLOB options CONFIGURE_DEPENDS ${base}/${stem}.options)
  add_custom_command(OUTPUT ${made}.c ${made}.h
    COMMAND ${command} ${proto}
    WORKING_DIRECTORY ${base} # nanopb looks for STEM.options from here
    DEPENDS ${proto} ${options} VERBATIM)
  set(${ret} ${made}.c PARENT_SCOPE)
endfunction()

set(OUT ${CMAKE_BINARY_DIR}/proto)
set(WITNESS_OUT ${CMAKE_BINARY_DIR}/proto_witness)
file(MAKE_DIRECTORY ${OUT} ${WITNESS_OUT})
file(GLOB protos CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/proto/sluice/v1/*.proto)
set_property(DIRECTORY ${CMAKE_SOURCE_DIR} APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${protos})

foreach(proto ${protos})
  file(STRINGS ${proto} first LIMIT_COUNT 1)
  if(first MATCHES "^// codec: nanopb")
    generate(own nanopb ${proto} ${OUT})
    generate(other protobuf-c ${proto} ${WITNESS_OUT})
  elseif(first MATCHES "^// codec: protobuf-c")
    generate(own protobuf-c ${proto} ${OUT})
    generate(other nanopb ${proto} ${WITNESS_OUT} ${WITNESS_BOUNDS})
  else()
    message(FATAL_ERROR "${proto}: the first line must be '// codec: nanopb' or '// codec: protobuf-c'.")
  endif()
  list(APPEND own_sources ${own})
  list(APPEND other_sources ${other})
endforeach()

foreach(kind proto proto_witness)
  if(kind STREQUAL proto)
    set(sources ${own_sources})
    set(folder ${OUT})
  else()
    set(sources ${other_sources})
    set(folder ${WITNESS_OUT})
  endif()
  if(sources)
    add_library(${kind} STATIC EXCLUDE_FROM_ALL ${sources})
    target_include_directories(${kind} SYSTEM PUBLIC ${folder})
    target_link_libraries(${kind} PUBLIC PkgConfig::PROTOBUFC ${NANOPB})
  else()
    add_library(${kind} INTERFACE)
  endif()
endforeach()
