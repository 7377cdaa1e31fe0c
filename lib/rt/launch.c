/*
 * The program loader: what launch.h promises, by calls to ProcessSpawner, ProcessBuilder and
 * ObjectFactory. The caller's ledger pays for the memory object behind what the image's processes
 * share, the child's for all that it has alone.
 *
 * Until start, everything hangs on the builder and on the image: releasing both undoes all of it.
 */
#include "rt/launch.h"

#include <stdlib.h>
#include <string.h>

#include "rt/capability.h"
#include "rt/panic.h"

/* Words of a text, a list's tag, and a struct with its pointer, all rounded up. */
#define TEXT_WORDS(bytes) ((uint64_t)(bytes) / 8 + 2)

/* Parameters of up to so many words are put together on the stack. */
#define PARAMETER_WORDS_USUAL 384u
/* What one call to ProcessBuilder.write takes, in whole words. */
#define WRITE_BYTES 896u
/* Parameters, stack and the page below it; a segment is at most two: what is copied or shared, and zeroes. */
#define PARTS_FURNISH_WORDS 120u
STATIC_ASSERT(2 + 2 + (3 + ELF_SEGMENTS_MAX) * (MEMORY_PART_DATA_WORDS + MEMORY_PART_POINTERS) <=
		PARTS_FURNISH_WORDS);

struct launching {
	const struct launch_authority *authority;
	const struct launch_request *request;
	struct launch_result *result;
	const struct launch_image *image;
	struct launch_layout layout;
	struct process_builder_ref builder;
};

/* --- Interfaces ----------------------------------------------------------------------------- */

static uint16_t ancestor_bits(const struct capnp_interface *interface,
		const struct launch_row *rows, uint32_t count)
{
	uint16_t bits = 0;
	uint32_t row;
	uint32_t i;

	for (row = 0; row < count; row++) {
		for (i = 0; i < interface->ancestor_count; i++) {
			if (interface->ancestors[i]->id == rows[row].id)
				bits = (uint16_t)(bits | 1u << row);
		}
	}
	return bits;
}

uint32_t launch_rows(const struct capnp_interface *interface, struct launch_row *rows,
		uint32_t rows_max)
{
	uint32_t count = MIN(interface->ancestor_count + 1u, rows_max);
	uint32_t i;

	for (i = 0; i < count; i++) {
		const struct capnp_interface *at = i == 0 ? interface : interface->ancestors[i - 1];

		rows[i] = (struct launch_row){ .id = at->id, .methods = at->method_count };
	}
	for (i = 0; i < count; i++) {
		const struct capnp_interface *at = i == 0 ? interface : interface->ancestors[i - 1];

		rows[i].ancestors = ancestor_bits(at, rows, count);
	}
	return count;
}

/* --- Launch parameters ---------------------------------------------------------------------- */

static uint32_t grant_row_count(const struct launch_grant *grant)
{
	return grant->row_count != 0 ? grant->row_count : grant->row_list.count;
}

/* An upper bound of the message's words, the length word before it included. */
static uint64_t parameter_words(const struct launch_request *request)
{
	uint64_t words = 2 + LAUNCH_PARAMETERS_DATA_WORDS + LAUNCH_PARAMETERS_POINTERS + 3 +
			TEXT_WORDS(request->name.bytes);
	uint32_t i;

	for (i = 0; i < request->arg_count; i++)
		words += TEXT_WORDS(request->args[i].bytes) + 1;
	for (i = 0; i < request->env_count; i++)
		words += ENVIRONMENT_VARIABLE_DATA_WORDS + ENVIRONMENT_VARIABLE_POINTERS +
				TEXT_WORDS(request->env[i].name.bytes) +
				TEXT_WORDS(request->env[i].value.bytes);
	for (i = 0; i < request->grant_count; i++)
		words += NAMED_GRANT_DATA_WORDS + NAMED_GRANT_POINTERS + 1 +
				TEXT_WORDS(request->grants[i].name.bytes) +
				(uint64_t)MAX(grant_row_count(&request->grants[i]),
						LAUNCH_ROWS_MAX) *
						(INTERFACE_ROW_DATA_WORDS + INTERFACE_ROW_POINTERS);
	if (!capnp_any_is_null(request->config))
		words += request->config.message->count;
	return words;
}

static void rows_write(struct named_grant_builder described, const struct launch_row *rows,
		uint32_t count)
{
	struct capnp_list_builder list = named_grant_init_interfaces(described, count);
	uint32_t i;

	for (i = 0; i < count; i++) {
		struct interface_row_builder row = interface_row_builder_at(list, i);

		interface_row_set_id(row, rows[i].id);
		interface_row_set_methods(row, rows[i].methods);
		interface_row_set_ancestors(row, rows[i].ancestors);
	}
}

static void grant_describe(struct named_grant_builder described, const struct launch_grant *grant,
		uint32_t id)
{
	struct launch_row rows[LAUNCH_ROWS_MAX];

	named_grant_set_name(described, grant->name);
	named_grant_set_id(described, id);
	if (grant->row_count != 0)
		rows_write(described, grant->rows, grant->row_count);
	else if (grant->row_list.count != 0)
		named_grant_set_interfaces(described, grant->row_list);
	else if (grant->own_memory)
		rows_write(described, rows,
				launch_rows(&virtual_memory_interface, rows, LAUNCH_ROWS_MAX));
	else if (grant->own_threads)
		rows_write(described, rows,
				launch_rows(&thread_spawner_interface, rows, LAUNCH_ROWS_MAX));
}

/* Gives one capability to the child; answers its number there. */
static status_t grant_give(const struct launching *launching, const struct launch_grant *grant,
		uint32_t *id)
{
	if (grant->own_memory)
		return process_builder_grant_memory(launching->builder, id);
	if (grant->own_threads)
		return process_builder_grant_threads(launching->builder, id);
	return process_builder_grant(launching->builder, rt_ref(grant->capability), id);
}

/* Fills in the grants while giving them: each answers the number that the child must know. */
static status_t grants_write(
		const struct launching *launching, struct launch_parameters_builder root)
{
	const struct launch_request *request = launching->request;
	struct capnp_list_builder list = launch_parameters_init_grants(root, request->grant_count);
	uint32_t i;

	for (i = 0; i < request->grant_count; i++) {
		uint32_t id = 0;
		status_t status = grant_give(launching, &request->grants[i], &id);

		if (status != STATUS_OK) {
			launching->result->step = LAUNCH_STEP_GRANT;
			launching->result->grant_index = i;
			return status;
		}
		grant_describe(named_grant_builder_at(list, i), &request->grants[i], id);
	}
	return STATUS_OK;
}

static void args_write(const struct launch_request *request, struct launch_parameters_builder root)
{
	struct capnp_list_builder args = launch_parameters_init_args(root, request->arg_count);
	struct capnp_list_builder env = launch_parameters_init_env(root, request->env_count);
	uint32_t i;

	for (i = 0; i < request->arg_count; i++)
		capnp_list_set_text(args, i, request->args[i]);
	for (i = 0; i < request->env_count; i++) {
		struct environment_variable_builder variable = environment_variable_builder_at(
				env, i);

		environment_variable_set_name(variable, request->env[i].name);
		environment_variable_set_value(variable, request->env[i].value);
	}
}

/* Copies to memory of the child's own. */
static status_t child_write(const struct launching *launching, uint64_t address, const void *bytes,
		uint64_t count)
{
	const uint8_t *from = bytes;
	status_t status = STATUS_OK;

	while (status == STATUS_OK && count > 0) {
		uint32_t part = (uint32_t)MIN(count, WRITE_BYTES);

		status = process_builder_write(
				launching->builder, address, capnp_data_of(from, part));
		from += part;
		address += part;
		count -= part;
	}
	return status;
}

/* Builds the message in `words`, behind the word that says its length, and copies it to the child. */
static status_t parameters_write(const struct launching *launching, uint64_t *words, uint64_t count)
{
	const struct launch_request *request = launching->request;
	struct launch_parameters_builder root;
	struct capnp_builder builder;
	status_t status;

	capnp_builder_init(&builder, words + 1, (uint32_t)count - 1, NULL, 0);
	root = launch_parameters_init_root(&builder);
	launch_parameters_set_name(root, request->name);
	args_write(request, root);
	status = grants_write(launching, root);
	if (status != STATUS_OK)
		return status;
	if (!capnp_any_is_null(request->config))
		launch_parameters_set_config(root, request->config);
	words[0] = capnp_builder_words(&builder);
	launching->result->step = LAUNCH_STEP_PARAMETERS;
	status = builder.status;
	if (status == STATUS_OK)
		status = child_write(launching, LAUNCH_PARAMETERS, words, (words[0] + 1) * 8);
	if (status == STATUS_OK)
		launching->result->step = LAUNCH_STEP_NONE;
	return status;
}

static status_t parameters_make(const struct launching *launching)
{
	uint64_t usual[PARAMETER_WORDS_USUAL], count = parameter_words(launching->request), *words = usual;
	status_t status;

	if (count > PARAMETER_WORDS_USUAL) {
		words = malloc(count * 8);
		if (words == NULL)
			return STATUS_OVERLOADED;
	}
	status = parameters_write(launching, words, count);
	if (words != usual)
		free(words);
	return status;
}

/* --- Memory --------------------------------------------------------------------------------- */

static void part_set(struct memory_part_builder part, uint64_t address, uint64_t bytes,
		enum access access)
{
	memory_part_set_address(part, address);
	memory_part_set_bytes(part, bytes);
	memory_part_set_access(part, access);
}

/* Whether the pages that are shared are the file's own. */
static bool is_in_file(const struct launch_image *image)
{
	return !client_ref_is_null(image->view.ref);
}

static void parts_fill(const struct launching *launching, struct capnp_list_builder parts,
		struct capnp_cap shared)
{
	const struct launch_layout *layout = &launching->layout;
	const struct elf_image *elf = &launching->image->elf;
	uint32_t i;

	for (i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		struct memory_part_builder part = memory_part_builder_at(parts, i);

		part_set(part, elf_segment_page_address(segment), elf_segment_page_bytes(segment),
				(enum access)segment->access);
		if (launch_is_shared(segment)) {
			memory_part_set_object(part, shared);
			memory_part_set_offset(part, is_in_file(launching->image) ?
					ALIGN_DOWN(segment->file_offset, (uint64_t)ELF_PAGE_BYTES) :
					layout->segment_offset[i]);
		}
	}
	part_set(memory_part_builder_at(parts, i), LAUNCH_PARAMETERS, layout->parameters_bytes,
			ACCESS_READ);
	part_set(memory_part_builder_at(parts, i + 1), layout->stack_address - ELF_PAGE_BYTES,
			ELF_PAGE_BYTES, ACCESS_NONE);
	part_set(memory_part_builder_at(parts, i + 2), layout->stack_address, layout->stack_bytes,
			ACCESS_READ_WRITE);
}

static status_t child_furnish(const struct launching *launching)
{
	const struct elf_image *elf = &launching->image->elf;
	struct process_builder_furnish_params_builder params;
	struct process_builder_furnish_call call;
	status_t status = STATUS_OK;
	uint32_t i;

	call = process_builder_furnish_begin_sized(launching->builder, PARTS_FURNISH_WORDS, &params);
	parts_fill(launching, process_builder_furnish_params_init_parts(params, elf->segment_count + 3),
			client_cap(&call.call, is_in_file(launching->image) ? launching->image->view.ref :
									      launching->image->shared.ref));
	process_builder_furnish_send(&call);
	status = process_builder_furnish_wait(&call);
	process_builder_furnish_done(&call);
	for (i = 0; status == STATUS_OK && i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (!launch_is_shared(segment))
			status = child_write(launching, segment->address,
					(const uint8_t *)launching->image->file + segment->file_offset,
					segment->file_bytes);
	}
	return status;
}

/* --- The steps ------------------------------------------------------------------------------ */

static status_t fail(struct launching *launching, enum launch_step step, status_t status)
{
	if (launching->result->step == LAUNCH_STEP_NONE)
		launching->result->step = step;
	return status;
}

/* What can be refused before anything exists. */
static status_t plan(struct launching *launching)
{
	const struct launch_request *request = launching->request;

	if (!launch_layout_make(&launching->image->elf, parameter_words(request), request->stack_bytes,
			&launching->layout))
		return fail(launching, LAUNCH_STEP_PARAMETERS, STATUS_INVALID_ARGUMENT);
	return STATUS_OK;
}

static status_t create(struct launching *launching)
{
	const struct launch_request *request = launching->request;
	struct process_spawner_create_params_builder params;
	struct process_spawner_create_call call;
	struct capnp_list_builder limits;
	status_t status;
	uint32_t i;

	call = process_spawner_create_begin(launching->authority->spawner, &params);
	process_spawner_create_params_set_name(params, request->name);
	limits = process_spawner_create_params_init_limits(params, request->limit_count);
	for (i = 0; i < request->limit_count; i++) {
		struct resource_limit_builder limit = resource_limit_builder_at(limits, i);

		resource_limit_set_class(limit, request->limits[i].class);
		resource_limit_set_limit(limit, request->limits[i].limit);
	}
	process_spawner_create_send(&call);
	status = process_spawner_create_wait(&call);
	if (status == STATUS_OK)
		status = process_spawner_create_take_builder(&call, &launching->builder);
	process_spawner_create_done(&call);
	return status;
}

static status_t start(struct launching *launching)
{
	return process_builder_start(launching->builder, launching->image->elf.entry, LAUNCH_STACK_END,
			LAUNCH_PARAMETERS, &launching->result->process);
}

static status_t launch_steps(struct launching *launching)
{
	status_t status = plan(launching);

	if (status != STATUS_OK)
		return status;
	status = create(launching);
	if (status != STATUS_OK)
		return fail(launching, LAUNCH_STEP_CREATE, status);
	if (launching->request->session != 0) {
		status = process_builder_set_session(launching->builder,
				(struct session_ref){ rt_ref(launching->request->session) });
		if (status != STATUS_OK)
			return fail(launching, LAUNCH_STEP_CREATE, status);
	}
	status = child_furnish(launching);
	if (status != STATUS_OK)
		return fail(launching, LAUNCH_STEP_MEMORY, status);
	status = parameters_make(launching);
	if (status != STATUS_OK)
		return fail(launching, LAUNCH_STEP_MEMORY, status);
	status = start(launching);
	if (status != STATUS_OK)
		return fail(launching, LAUNCH_STEP_START, status);
	return STATUS_OK;
}

static status_t launch_opened(const struct launch_authority *authority,
		const struct launch_request *request, const struct launch_image *image,
		struct launch_result *result)
{
	struct launching launching = {
		.authority = authority,
		.request = request,
		.result = result,
		.image = image,
	};
	status_t status = launch_steps(&launching);

	client_release(launching.builder.ref);
	return status;
}

status_t launch(const struct launch_authority *authority, const struct launch_request *request,
		struct launch_result *result)
{
	struct launch_image image;
	status_t status;

	memset(result, 0, sizeof(*result));
	if (request->opened != NULL)
		return launch_opened(authority, request, request->opened, result);
	status = launch_image_open(
			authority, request->image, request->image_bytes, request->image_view, &image, result);
	if (status != STATUS_OK)
		return status;
	status = launch_opened(authority, request, &image, result);
	launch_image_close(&image);
	return status;
}

/* --- Images --------------------------------------------------------------------------------- */

/* Loads what is only read into the object, through a window of the caller's, and seals it. */
static status_t image_load(const struct launch_authority *authority, const struct launch_image *image,
		const struct launch_layout *layout)
{
	uint64_t address = 0, writable_pages;
	bool sealed = false;
	status_t status = virtual_memory_map(authority->memory, memory_object_as_memory_view(image->shared),
			0, layout->shared_bytes, 0, ACCESS_READ_WRITE, &address);

	if (status != STATUS_OK)
		return status;
	launch_layout_fill(layout, &image->elf, image->file, (void *)(uintptr_t)address);
	status = virtual_memory_unmap(authority->memory, address, layout->shared_bytes);
	ASSERT(status == STATUS_OK);
	status = memory_object_seal(image->shared, &sealed, &writable_pages);
	if (status == STATUS_OK)
		ASSERT(sealed);
	return status;
}

/* A segment that is only read has its zeroes in the file, too. */
static bool elf_can_be_mapped(const struct elf_image *elf)
{
	for (uint32_t i = 0; i < elf->segment_count; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (launch_is_shared(segment) && segment->file_bytes != segment->memory_bytes)
			return false;
	}
	return true;
}

status_t launch_image_open(const struct launch_authority *authority, const void *file, uint64_t file_bytes,
		struct memory_view_ref view, struct launch_image *image, struct launch_result *result)
{
	struct elf_limits limits = launch_limits();
	struct launch_layout layout;
	status_t status;

	memset(result, 0, sizeof(*result));
	*image = (struct launch_image){ .file = file };
	result->step = LAUNCH_STEP_IMAGE;
	result->elf_error = elf_parse(file, file_bytes, &limits, &image->elf);
	if (result->elf_error != ELF_OK || !launch_layout_make(&image->elf, 0, 0, &layout))
		return STATUS_INVALID_ARGUMENT;
	result->step = LAUNCH_STEP_NONE;
	if (elf_can_be_mapped(&image->elf) && !client_ref_is_null(view.ref)) {
		image->view = view;
		return STATUS_OK;
	}
	result->step = LAUNCH_STEP_MEMORY;
	status = object_factory_memory(authority->factory, layout.shared_bytes, &image->shared);
	if (status == STATUS_OK)
		status = image_load(authority, image, &layout);
	if (status != STATUS_OK) {
		launch_image_close(image);
		return status;
	}
	result->step = LAUNCH_STEP_NONE;
	return STATUS_OK;
}

void launch_image_close(struct launch_image *image)
{
	client_release(image->shared.ref);
	*image = (struct launch_image){ 0 };
}

const char *launch_sentence(const struct launch_result *result)
{
	switch (result->step) {
	case LAUNCH_STEP_NONE:
		return "the program was launched";
	case LAUNCH_STEP_IMAGE:
		return elf_error_sentence(result->elf_error);
	case LAUNCH_STEP_PARAMETERS:
		return "the arguments, environment and configuration are too large";
	case LAUNCH_STEP_CREATE:
		return "no process could be made";
	case LAUNCH_STEP_MEMORY:
		return "there is not enough memory for the program";
	case LAUNCH_STEP_GRANT:
		return "a capability could not be granted";
	case LAUNCH_STEP_START:
		return "the process could not be started";
	}
	return "launching failed";
}

/* --- Files of the boot package -------------------------------------------------------------- */

status_t launch_file_open(struct boot_package_ref package, struct virtual_memory_ref memory,
		struct capnp_text name, struct launch_file *file)
{
	struct memory_view_ref view = { 0 };
	uint64_t address = 0;
	uint64_t count = 0;
	bool found = false;
	status_t status;

	*file = (struct launch_file){ 0 };
	status = boot_package_open(package, name, &found, &view, &count);
	if (status != STATUS_OK || !found)
		return status;
	if (count != 0)
		status = virtual_memory_map(memory, view, 0,
				ALIGN_UP(count, (uint64_t)ELF_PAGE_BYTES), 0, ACCESS_READ,
				&address);
	if (status != STATUS_OK) {
		client_release(view.ref);
		return status;
	}
	file->view = view;
	file->bytes = count != 0 ? (const void *)(uintptr_t)address : "";
	file->count = count;
	file->mapped_bytes = count != 0 ? ALIGN_UP(count, (uint64_t)ELF_PAGE_BYTES) : 0;
	return STATUS_OK;
}

void launch_file_close(struct virtual_memory_ref memory, struct launch_file *file)
{
	status_t status;

	if (file->mapped_bytes != 0) {
		status = virtual_memory_unmap(
				memory, (uint64_t)(uintptr_t)file->bytes, file->mapped_bytes);
		ASSERT(status == STATUS_OK);
	}
	client_release(file->view.ref);
	*file = (struct launch_file){ 0 };
}
